"""A record is refused wherever a field is unknown, missing or of another type, and the path of the field is said."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gexbench.leaderboards.records import RecordError, parse_record, read_record

Make = Callable[..., dict[str, Any]]
Place = tuple[str | int, ...]
ACCURACY = "tstr_lr_accuracy[project]"
FREE = {("generator", "settings"), ("generator", "tuning", "settings"), ("diagnostics",)}
"""Objects of any JSON values."""

_ANCHORS = ("trtr", "majority", "shuffled_labels")
NAMED_FREELY = FREE | {
    ("curves",), ("metrics",), ("per_class",), ("per_class", "recall"), ("reference_values",), ("extra",),
    *(("reference_values", name) for name in _ANCHORS), ("per_cluster",), ("per_cluster", "crps"),
    ("score_cpu_times_s",), ("versions",), ("gates",), ("gates", "copies/one/test"),
}  # fmt: skip
"""Objects without a fixed list of names."""


@pytest.fixture
def whole(make: Make) -> dict[str, Any]:
    """The content of a record with every optional part."""
    old = make(
        "vae", 0, {"frechet": 90.0, "recall_genes": None},
        generator={
            "variant": "tuned", "file": {"name": "m.py", "class": "M", "sha256": "0" * 64},
            "tuning": {
                "settings": {"rate": 0.1}, "validation_score": 0.5, "default_validation_score": 0.6,
                "trials": {"complete": 8, "pruned": 1, "failed": 2}, "objective": "overall score",
            },
        },
        reason="none", traceback="Traceback", output=["a line"], warnings=["careful"], train_fraction=0.5, fitted=120,
        trained_by={"version": "0.1.0", "commit": "abc"}, gene_sets={"name": "sets.gmt", "sha256": "1" * 64},
        seeds={"fit": 1, "test": 2, "train": 3, "paired": 4, "privacy": 2**64 - 1},
        curves={"loss": [1.0, None]}, diagnostics={"steps": 3, "of": {"some": ["kind"]}}, extra={"copy_threshold": 1.5},
        fold={"left_out": ["rare"]}, per_class={"recall": {"A": 0.5}}, clusters="site",
        per_cluster={"crps": {"S1": [3, 0.5]}}, score_cpu_times_s={"support": 1.5},
        reference_values={"shuffled_labels": {ACCURACY: 0.1}},
    )  # fmt: skip
    content = parse_record(old, "x.json").content()
    return {**content, "protocol": 2, "gates": {"copies/one/test": {"count": 3.0}}}


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every field, entry and element below a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in entries:
        yield (*place, name)
        yield from places(each, (*place, name))


def at(content: Any, place: Place) -> Any:
    for part in place:
        content = content[part]
    return content


def said(place: Place) -> str:
    return "x.json: " + ".".join(map(str, place)) + ":"


def problems(content: Mapping[str, Any]) -> tuple[str, ...]:
    with pytest.raises(RecordError) as caught:
        parse_record(content, "x.json")
    return caught.value.problems


def fields(content: dict[str, Any]) -> list[Place]:
    """Places whose type the model states."""
    return [place for place in places(content) if not any(place[: len(free)] == free for free in FREE if place != free)]


def test_a_value_of_another_type_is_refused_with_its_path(whole: dict[str, Any]) -> None:
    checked = 0
    for place in fields(whole):
        if place == ("schema",):
            continue
        is_object = isinstance(at(whole, place), dict)
        for wrong in ("x" if is_object else {"x": 1}, True if place[-1] not in _BOOLEANS else 1, 1.5j):
            content = copy.deepcopy(whole)
            at(content, place[:-1])[place[-1]] = wrong
            found = problems(content)
            assert any(problem.startswith(said(place)[:-1]) for problem in found), (place, wrong, found)
            checked += 1
    assert checked > 300


_BOOLEANS = {"reference", "local", "returns_real_rows"}


def test_an_unknown_field_is_refused_wherever_it_stands(whole: dict[str, Any]) -> None:
    objects = [place for place in [(), *fields(whole)] if isinstance(at(whole, place), dict)]
    for place in objects:
        if place in NAMED_FREELY:
            continue
        content = copy.deepcopy(whole)
        at(content, place)["surplus"] = None
        assert f"{said((*place, 'surplus'))} unknown field" in problems(content)[0], place
    assert len(objects) - len(NAMED_FREELY) >= 15


def test_a_field_is_never_missing(whole: dict[str, Any]) -> None:
    for name in whole.keys() - {"schema"}:
        assert said((name,)) + " missing" in problems({key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize("schema", [0, 4, True, "2", 1.0, None, [2]])
def test_another_schema_is_refused_by_itself(whole: dict[str, Any], schema: object) -> None:
    (problem,) = problems({**whole, "schema": schema, "surplus": 1})
    assert problem.startswith(f"x.json: record schema {schema!r}, this gexbench reads 1, 2, 3; use the version")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"threads": 1', '"threads": 1, "threads": 1', "threads: stands twice in its object; keep one"),
        ('"value": 90.0', '"value": 1, "value": 90.0', "metrics.frechet.value: stands twice"),
        ('"some": [', '"some": 1, "some": [', "diagnostics.of.some: "),
        ('"schema": 3', '"schema": 3, "schema": 1', "record schema <given twice>"),
        ('"value": 90.0', '"value": -3.5', "metrics.frechet.value: -3.5 lies outside the metric's range, 0 to inf"),
        (f'"{ACCURACY}": 0.95', f'"{ACCURACY}": 1.5', "1.5 lies outside the metric's range, 0 to 1"),
        ('"state": "ok"', '"state": "won"', "state: "),
        ('"value": 90.0', '"value": NaN', "metrics.frechet.value: nan should be a finite number"),
        ('"value": 90.0', '"value": -Infinity', "metrics.frechet.value: -inf should be a finite number"),
        ('"value": 90.0', '"value": 1e999', "metrics.frechet.value: inf should be a finite number"),
        ('"steps": 3', '"steps": 1e999', "diagnostics.steps: inf should be finite"),
        ('"value": 90.0', '"value": ' + "9" * 400, "metrics.frechet.value: 999"),
        ('"fit": 1,', '"fit": ' + "9" * 400 + ",", "seeds.fit: 999"),
        ('"fit": 1,', '"fit": ' + "9" * 5000 + ",", "broken JSON (Exceeds the limit"),
        ('"careful"', '"\\ud83d"', r"warnings.0: '\ud83d' holds half a character"),
        ('"S1": [', '"\\udc00": [', "holds half a character"),
        ('"kind"', '"\\udc00"', r"diagnostics.of.some.0: '\udc00' should be"),
    ],
)
def test_what_json_lets_pass_is_refused(
    tmp_path: Path, whole: dict[str, Any], old: str, new: str, message: str
) -> None:
    text = json.dumps(whole)
    assert old in text
    (tmp_path / "x.json").write_text(text.replace(old, new, 1))
    with pytest.raises(RecordError) as caught:
        read_record(tmp_path / "x.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.json: ")
    assert all(len(problem) < 250 for problem in caught.value.problems)
