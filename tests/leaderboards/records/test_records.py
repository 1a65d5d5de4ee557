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
        "future.json": good.replace('"schema": 1', '"schema": 2'),
        "deep.json": "[" * 100_000,
        "good.json": good,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError) as caught:
        read_records(tmp_path)
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {*files, "binary.json"} - {"good.json"}


def test_no_records_is_an_error_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="gexbench run"):
        read_records(tmp_path)
    with pytest.raises(RecordError, match="no such folder"):
        read_records(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold": {"index": "0"}}, "fold.index: '0' is not int"),
        ({"fold": {"index": True}}, "fold.index: True is not int"),
        ({"fold": {"train": 0}}, "fold.train: 0 patients"),
        ({"repeat": -1}, "count from 0"),
        ({"generator": {"file": "m.py"}}, "generator.file: 'm.py' has no name, class and sha256"),
        ({"generator": {"file": {"name": "m.py", "class": "M"}}}, "has no name, class and sha256"),
        ({"metrics": {"recal": {"value": 1, "version": 1}}}, "recal"),
        ({"metrics": {"recall_genes": 0.5}}, "has no value and version"),
        ({"metrics": {"recall_genes": {"value": "0.5", "version": 1}}}, "is not a number or null"),
        ({"times_s": {"fit": "2 s"}}, "times_s.fit"),
        ({"reference_values": {"ceiling": {}}}, "reference_values.ceiling"),
        ({"reference_values": {"trtr": {"tstr_lr_accuracy[project]": None}}}, "is not a number"),
        ({"warnings": [1]}, "warnings: 1 is not text"),
        ({"generator": {"variant": "best"}}, "generator.variant: 'best' is neither default nor tuned"),
        ({"generator": {"variant": "tuned"}}, "a tuned record has one"),
        ({"generator": {"tuning": {}}}, "others have none"),
        ({"generator": {"variant": "tuned", "tuning": {"trials": {"complete": "8"}}}}, "not an object of counts"),
        (
            {"generator": {"variant": "tuned", "tuning": {"trials": {}, "validation_score": "low"}}},
            "a validation score is not a number",
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
    assert len(caught.value.problems) == 2


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


def test_tidy_has_one_row_per_record_and_metric(make: Make, parsed: Callable[..., Any]) -> None:
    frame = tidy(parsed([make("vae", 0, {"recall_genes": 0.5, "tstr_lr_accuracy[project]": None})]))
    assert frame["metric"].tolist() == ["recall_genes", "tstr_lr_accuracy"]
    assert frame["label"].tolist() == [None, "project"]
    assert frame["family"].tolist() == ["support", "utility"]
    assert frame["value"].isna().tolist() == [False, True]
