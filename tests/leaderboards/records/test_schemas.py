"""Schema 3 is read back as it was written; schemas 1 and 2 are the same record of protocol 1."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gexbench.leaderboards.records import Record, RecordError, parse_record, read_record, read_records
from gexbench.leaderboards.records import parts as m
from gexbench.tasks.panel.protocols import FIRST, PROTOCOLS, Protocol

Make = Callable[..., dict[str, Any]]
PUBLISHED = Path(__file__).resolve().parents[3] / "leaderboards" / "published"

text = st.text(max_size=8)
digest = st.text("0123456789abcdef", min_size=64, max_size=64)
number = st.floats(allow_nan=False, allow_infinity=False)
count, positive = st.integers(0, 2**64 - 1), st.integers(1, 2**64 - 1)
seconds = st.floats(0, 1e300)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | number | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
key = st.sampled_from(["frechet", "crps", "tstr_lr_accuracy[project]", "tstr_lr_accuracy[a.b]"])
in_range = st.floats(0, 1)


def texts(least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(text, min_size=least, max_size=2).map(tuple)


def named(values: st.SearchStrategy[Any], names: st.SearchStrategy[str] = text) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, values, max_size=2)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


suite = st.builds(m.Suite, version=text, commit=optional(text))
tuning = st.builds(
    m.Tuning,
    settings=named(json_value),
    validation_score=number,
    default_validation_score=optional(number),
    trials=st.builds(m.TrialCounts, complete=count, pruned=count, failed=count),
    objective=st.sampled_from(["overall score", "validation score"]),
)
file = st.fixed_dictionaries({"name": text, "class": text, "sha256": digest}).map(m.SourceFile.model_validate)
generator = st.booleans().flatmap(
    lambda tuned: st.builds(
        m.RecordedGenerator,
        name=st.text(min_size=1, max_size=9),
        variant=st.just("tuned" if tuned else "default"),
        tuning=tuning if tuned else st.none(),
        version=text,
        family=text,
        reference=st.booleans(),
        conditions=texts(),
        settings=named(json_value),
        source_hash=text,
        local=st.booleans(),
        file=optional(file),
        returns_real_rows=st.booleans(),
    )
)
times = st.builds(m.Times, fit=optional(seconds), sample=optional(seconds), score=optional(seconds))
record = st.builds(
    Record,
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    state=st.sampled_from(m.STATES),
    reason=optional(text),
    traceback=optional(text),
    output=texts(),
    keys=st.builds(m.Keys, rows=digest, record=digest),
    suite=suite,
    trained_by=optional(suite),
    generator=generator,
    cohort=st.builds(
        m.RecordedCohort,
        name=text, fingerprint=text, unit=text, samples=positive, genes=positive, label_columns=texts(1),
    ),
    fold=st.builds(
        m.RecordedFold,
        track=text, index=count, hash=text, train=positive, validation=count, test=positive, left_out=texts(),
    ),
    repeat=count,
    train_fraction=st.floats(0, 1, exclude_min=True),
    fitted=optional(positive),
    seeds=st.builds(m.Seeds, fit=optional(count), test=optional(count)),
    budget=text,
    threads=positive,
    device=text,
    panel=text,
    gene_sets=optional(st.builds(m.GeneSetsFile, name=text, sha256=digest)),
    curves=named(st.lists(optional(number), max_size=3).map(tuple)),
    diagnostics=named(json_value),
    warnings=texts(),
    metrics=named(st.builds(m.Measured, value=optional(in_range), version=count, reason=optional(text)), key),
    gates=named(named(number), st.sampled_from(["copies/one/test", "membership", "test leak/of-train"])),
    per_class=named(named(number)),
    reference_values=named(named(in_range, key), st.sampled_from(["trtr", "majority", "shuffled_labels"])),
    extra=named(number),
    clusters=st.sampled_from(["site", "patient"]),
    per_cluster=named(named(st.tuples(positive, number)), key),
    times_s=times,
    cpu_times_s=times,
    score_cpu_times_s=named(seconds),
    peak_memory_bytes=st.builds(m.PeakMemory, device=optional(count), host=optional(count)),
    hardware=st.builds(
        m.Hardware, architecture=text, cores=positive, memory_bytes=positive, processor=text, system=text
    ),
    versions=named(text),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(record)
def test_a_record_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, written: Record) -> None:
    path = tmp_path_factory.mktemp("records") / "x.json"
    path.write_text(json.dumps(written.content(), allow_nan=False))
    found = read_record(path)
    assert found.model_dump() == written.model_dump()
    assert found.content() == written.content() == json.loads(path.read_text())
    assert found.place == "x.json"


def test_schema_1_leaves_out_what_does_not_apply(make: Make) -> None:
    found = parse_record(make("vae", 0, {"frechet": 90.0}), "x.json")
    assert (found.generator.variant, found.generator.tuning, found.generator.file) == ("default", None, None)
    assert (found.train_fraction, found.fitted, found.trained_by, found.gene_sets) == (1.0, None, None, None)
    assert (found.traceback, found.output, found.clusters, found.per_cluster) == (None, (), None, {})
    assert (found.extra, found.score_cpu_times_s) == ({}, {})
    assert parse_record(found.content(), "x.json") == found


def test_earlier_schemas_have_protocol_1_and_no_field_of_later_ones(make: Make) -> None:
    first = make("vae", 0, {"frechet": 90.0})
    second = {**parse_record(first, "x.json").content(), "schema": 2}
    del second["protocol"], second["gates"]
    for content in (first, second):
        found = parse_record(content, "x.json")
        assert (found.protocol, found.gates, found.content()["schema"]) == (1, {}, 3)
        for name, value in (("protocol", 2), ("gates", {})):
            with pytest.raises(RecordError, match=f"{name} .of a later schema.: unknown field"):
                parse_record({**content, name: value}, "x.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": 9}, "protocol: protocol 9, this gexbench knows 1 and 2; use the version that wrote it"),
        ({"protocol": True}, "protocol: True is not an integer"),
        ({"gates": {"copies/../x": {}}}, "gates.'copies/../x': 'copies/../x' is not words between slashes"),
        ({"gates": {"copies/one/test": {"count": None}}}, "gates.copies/one/test.count: None is not a number"),
        (
            {"gates": {"copies/one/test": {"count": float("inf")}}},
            "copies/one/test.count: inf should be a finite",
        ),
        ({"gates": {"copies/one/test": 3.0}}, "gates.copies/one/test: 3.0 is not an object"),
    ],
)
def test_protocol_and_gates_are_checked(make: Make, change: dict[str, Any], message: str) -> None:
    content = {**parse_record(make("vae", 0, {}), "x.json").content(), **change}
    with pytest.raises(RecordError) as caught:
        parse_record(content, "x.json")
    assert message in str(caught.value)


def test_metrics_must_be_those_of_the_protocol(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    base = {**parse_record(make("vae", 0, {}), "x.json").content(), "reference_values": {}}
    foreign = dataclasses.replace(FIRST.declared()[0], name="of_protocol_1_alone")
    monkeypatch.setitem(PROTOCOLS, 1, Protocol(1, "copy share", lambda: (foreign,)))
    content = {**base, "metrics": {"of_protocol_1_alone": {"value": 0.5, "version": 1, "reason": None}}}
    assert parse_record(content, "x.json").metrics
    with pytest.raises(RecordError, match="protocol 2 has no metric of_protocol_1_alone; another version"):
        parse_record({**content, "protocol": 2}, "x.json")


def test_rows_are_named_by_generator_variant_and_share(make: Make) -> None:
    shared = parse_record(make("vae", 2, {}, 1, train_fraction=0.25, fitted=60), "x.json")
    assert (shared.row, shared.cell, shared.generator.full_name) == ("vae@0.25", ("vae", 2, 1), "vae")


@pytest.mark.parametrize("folder", sorted(PUBLISHED.glob("*/*")), ids=lambda folder: "-".join(folder.parts[-2:]))
def test_every_published_record_is_one(folder: Path) -> None:
    found = read_records(folder / "records")
    assert len(found) == len(list((folder / "records").glob("*.json")))
    for each in found[:: max(1, len(found) // 10)]:
        written = json.loads((folder / "records" / each.place).read_text())
        assert stated(each.content()) == stated(written)


def stated(value: Any, name: str = "") -> Any:
    """A record's content without its schema, what schema 3 adds and what schema 1 may leave out."""
    if not isinstance(value, dict) or name in ("settings", "metrics", "diagnostics"):
        return value
    entries = {key: stated(each, key) for key, each in value.items()}
    left_out = {"schema": entries.get("schema"), "variant": "default", "train_fraction": 1.0}
    left_out |= {"objective": "validation score", "protocol": 1}
    return {key: each for key, each in entries.items() if each not in (None, [], {}) and left_out.get(key) != each}
