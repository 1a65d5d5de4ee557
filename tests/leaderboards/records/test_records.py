"""Reading records: what is refused, and how it is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gexbench.leaderboards.comparing.grid import tidy
from gexbench.leaderboards.comparing.selection import check_comparable
from gexbench.leaderboards.records import RecordError, parse_record, read_records

Make = Callable[..., dict[str, Any]]
TUNING = {
    "settings": {"rate": 0.1},
    "validation_score": 0.5,
    "default_validation_score": None,
    "trials": {"complete": 8, "pruned": 0, "failed": 0},
}


def test_records_come_back_in_order_with_their_values(tmp_path: Path, make: Make) -> None:
    for name, fold in (("vae", 1), ("cvae", 0), ("vae", 0)):
        (tmp_path / f"{name}-{fold}.json").write_text(json.dumps(make(name, fold, {"recall_genes": 0.5})))
    records = read_records(tmp_path)
    assert [record.cell[:2] for record in records] == [("cvae", 0), ("vae", 0), ("vae", 1)]
    assert records[0].metrics["recall_genes"].value == 0.5


def test_all_broken_files_are_named_at_once(tmp_path: Path, make: Make) -> None:
    good = json.dumps(make("vae", 0, {"recall_genes": 0.5}))
    files = {
        "cut.json": good[:200],
        "nan.json": good.replace("0.5", "NaN"),
        "foreign.json": '{"name": "sweep"}',
        "list.json": "[1, 2]",
        "future.json": good.replace('"schema": 1', '"schema": 4'),
        "deep.json": "[" * 100_000,
        "utf-16.json": "",
        "good.json": good,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "utf-16.json").write_bytes(good.encode("utf-16"))
    with pytest.raises(RecordError) as caught:
        read_records(tmp_path)
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {*files, "binary.json"} - {"good.json"}


def test_files_with_the_record_of_one_key_are_named(tmp_path: Path, make: Make) -> None:
    for name in ("a", "copy", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps(make("vae", int(name == "other"), {})))
    with pytest.raises(RecordError, match=r"^a\.json, copy\.json: have the same key \(keys\.record\); keep the file"):
        read_records(tmp_path)


def test_no_records_is_an_error_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="gexbench run"):
        read_records(tmp_path)
    with pytest.raises(RecordError, match="no such folder"):
        read_records(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold": {"index": "0"}}, "fold.index: '0' is not an integer"),
        ({"fold": {"index": True}}, "fold.index: True is not an integer"),
        ({"fold": {"train": 0}}, "fold.train: 0 should be at least 1"),
        ({"repeat": -1}, "repeat: -1 should be at least 0"),
        ({"state": "done"}, "state: 'done' should be 'ok', 'failed', 'timeout', "),
        ({"keys": {"rows": "../rows"}}, "keys.rows: '../rows' is not 64 hexadecimal digits"),
        ({"generator": {"file": "m.py"}}, "generator.file: 'm.py' is not an object"),
        ({"generator": {"file": {"name": "m.py", "class": "M"}}}, "generator.file.sha256: missing"),
        ({"metrics": {"recal": {"value": 1, "version": 1}}}, "metrics.recal: no metric is named 'recal'; did you mean"),
        ({"metrics": {"recall_genes": 0.5}}, "metrics.recall_genes: 0.5 is not an object"),
        ({"metrics": {"recall_genes": {"value": "0.5", "version": 1}}}, "metrics.recall_genes.value: '0.5' is not a"),
        ({"times_s": {"fit": "2 s"}}, "times_s.fit: '2 s' is not a number"),
        ({"times_s": {"fit": -1.0}}, "times_s.fit: -1.0 should be at least 0"),
        ({"reference_values": {"ceiling": {}}}, "reference_values.ceiling: 'ceiling' should be 'trtr', 'majority'"),
        (
            {"reference_values": {"trtr": {"tstr_lr_accuracy[project]": None}}},
            "reference_values.trtr.tstr_lr_accuracy[project]: None is not a number",
        ),
        ({"warnings": [1]}, "warnings.0: 1 is not text"),
        ({"per_class": "x"}, "per_class: 'x' is not an object"),
        ({"curves": 3}, "curves: 3 is not an object"),
        ({"curves": {"loss": [1, "x"]}}, "curves.loss.1: 'x' is not a number"),
        ({"generator": {"settings": {"a": [{"b": float("nan")}]}}}, "generator.settings.a.0.b: nan should be finite"),
        ({"diagnostics": {"steps": 10**30}}, "diagnostics.steps: 1000000000000000000000000000000 should be finite"),
        ({"diagnostics": {"steps": "\ud800"}}, "diagnostics.steps: '\\ud800' should be finite, below 2^64 and Unicode"),
        ({"seeds": {"fit": 2**64}}, "seeds.fit: 18446744073709551616 should be"),
        ({"extra": {"copy_threshold": float("inf")}}, "extra.copy_threshold: inf should be a finite number"),
        ({"extra": {"a.b": None}}, "extra.'a.b': None is not a number"),
        ({"generator": {"name": "x" * 201}}, "generator.name: 'xxx"),
        ({"generator": {"variant": "best"}}, "generator.variant: 'best' should be 'default' or 'tuned'"),
        ({"generator": {"variant": "tuned"}}, "generator: tuning: a tuned record has one, others have none"),
        ({"generator": {"tuning": TUNING}}, "generator: tuning: a tuned record has one, others have none"),
        (
            {"generator": {"variant": "tuned", "tuning": {**TUNING, "trials": {"complete": "8"}}}},
            "generator.tuning.trials.complete: '8' is not an integer",
        ),
        (
            {"generator": {"variant": "tuned", "tuning": {**TUNING, "validation_score": "low"}}},
            "generator.tuning.validation_score: 'low' is not a number",
        ),
    ],
)
def test_ill_formed_fields_are_named(make: Make, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(make("vae", 0, {}, **change), "x.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.json: ")


def test_missing_fields_are_all_named(make: Make) -> None:
    content = make("vae", 0, {})
    del content["budget"], content["generator"]["version"]
    with pytest.raises(RecordError) as caught:
        parse_record(content, "x.json")
    assert caught.value.problems == (
        "x.json: generator.version: missing",
        "x.json: budget: missing",
        "x.json: restore the file as it was written, or delete it and run the cell again",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cohort": {"name": "other"}}, "cohort differs"),
        ({"cohort": {"fingerprint": "0"}}, "cohort fingerprint differs"),
        ({"fold": {"track": "site"}}, "track differs"),
        ({"fold": {"hash": "0"}}, "fold 1: id lists differs"),
        ({"budget": "cpu"}, "budget differs"),
        ({"panel": "extended"}, "panel differs"),
        ({"generator": {"version": "2"}}, "generator 'vae': version differs: 1 (0.json); 2 (1.json)"),
        ({"generator": {"settings": {"width": 9}}}, "generator 'vae': settings differs"),
        ({"metrics": {"recall_genes": {"value": 1.0, "version": 2}}}, "metric recall_genes: versions [1, 2]"),
        ({"fold": {"index": 0, "hash": "same"}}, "2 records; keep one"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(
    make: Make, parsed: Callable[..., Any], change: dict[str, Any], message: str
) -> None:
    values = {"recall_genes": 0.5}
    same = {"fold": {"hash": "same"}} if "keep one" in message else {}
    contents = [make("vae", 0, values, **same), make("vae", 1, values, **change)]
    if message.startswith("fold 1"):
        contents.append(make("cvae", 1, values))
    with pytest.raises(RecordError) as caught:
        check_comparable(parsed(contents))
    assert message in str(caught.value)


def test_records_of_two_protocols_share_no_table_which_is_said_alone(make: Make, parsed: Callable[..., Any]) -> None:
    first, second = (each.content() for each in parsed([make("vae", 0, {}), make("vae", 1, {}, budget="cpu")]))
    with pytest.raises(RecordError) as caught:
        check_comparable(parsed([first, {**second, "protocol": 2}]))
    assert caught.value.problems == ("protocol differs: 1 (0.json); 2 (1.json); put them into separate leaderboards",)


def test_tidy_has_one_row_per_record_and_metric(make: Make, parsed: Callable[..., Any]) -> None:
    frame = tidy(parsed([make("vae", 0, {"recall_genes": 0.5, "tstr_lr_accuracy[project]": None})]))
    assert frame["metric"].tolist() == ["recall_genes", "tstr_lr_accuracy"]
    assert frame["label"].tolist() == [None, "project"]
    assert frame["family"].tolist() == ["support", "utility"]
    assert frame["value"].isna().tolist() == [False, True]
