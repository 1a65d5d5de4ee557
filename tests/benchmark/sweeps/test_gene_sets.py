"""Gene sets of a sweep: part of its keys and records only where they are given."""

import dataclasses
import json

import pytest

from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.sweeps.gene_sets import file_of, given_gene_sets, matching
from gexbench.benchmark.sweeps.keys import content_key, metric_versions
from gexbench.benchmark.sweeps.planning import plan, with_gene_sets
from gexbench.benchmark.sweeps.sweep import Sweep, sweep_of
from gexbench.models import registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.declarations.metric import PANEL_SCHEMA
from gexbench.tasks.panel.protocols import CURRENT


@pytest.fixture
def file(tmp_path, small_cohort):
    genes = small_cohort.genes
    path = tmp_path / "sets.gmt"
    path.write_text(
        "".join(f"{name}\tx\t" + "\t".join(genes[a:b]) + "\n" for name, a, b in (("s", 0, 15), ("t", 9, 30)))
    )
    return path


def first_cell(cohort, path=None, panel="extended"):
    sweep = sweep_of(registry(), generators=("class-mean",), cohort=cohort.name, folds=(0,), panel=panel)
    sweep, sets = with_gene_sets(sweep, path, cohort.genes)
    made = dataclasses.replace(plan(sweep, registry(), cohort, "print"), gene_sets=sets)
    return made, made.cells[0]


@pytest.mark.parametrize("panel", ["core", "extended"])
def test_keys_without_gene_sets_hold_nothing_of_them(small_cohort, panel):
    _, cell = first_cell(small_cohort, panel=panel)
    content = {"kind": "record", "rows": cell.train_key, "panel": panel, "metrics": metric_versions(panel)}
    content |= {"schema": PANEL_SCHEMA, "protocol": CURRENT.number}
    assert cell.score_key == content_key(content)


def test_the_key_holds_the_files_content_and_not_its_name(small_cohort, file, tmp_path):
    without, found = first_cell(small_cohort)[1], first_cell(small_cohort, file)[1]
    assert found.train_key == without.train_key
    assert found.score_key != without.score_key
    renamed = tmp_path / "renamed.gmt"
    renamed.write_bytes(file.read_bytes())
    assert first_cell(small_cohort, renamed)[1].score_key == found.score_key
    file.write_text(file.read_text().replace("s\tx", "s\ty"))
    assert first_cell(small_cohort, file)[1].score_key != found.score_key


def test_sweeps_and_records_state_the_file(small_cohort, file):
    made, cell = first_cell(small_cohort, file)
    stated = {"name": "sets.gmt", "sha256": made.gene_sets.sha256}
    assert Sweep.model_validate_json(json.dumps(made.sweep.model_dump(mode="json"))) == made.sweep
    assert record_of(cell, made, small_cohort, state="ok").gene_sets.model_dump() == stated
    made, cell = first_cell(small_cohort)
    assert record_of(cell, made, small_cohort, state="ok").gene_sets is None


def test_workers_use_the_stated_sets_or_none_at_all(small_cohort, file):
    sets = given_gene_sets(file, small_cohort.genes)
    assert matching(file_of(sets), sets) is sets
    assert matching(None, None) is None
    other = dataclasses.replace(sets, sha256="0" * 64)
    for stated, found in ((None, sets), (file_of(sets), None), (file_of(sets), other)):
        with pytest.raises(ValueError, match="not those of the sweep's key"):
            matching(stated, found)


def test_bad_files_are_refused_before_anything_runs(small_cohort, file, tmp_path):
    with pytest.raises(InputError, match="add --panel extended"):
        first_cell(small_cohort, file, panel="core")
    with pytest.raises(InputError, match=r"missing\.gmt: cannot be read"):
        first_cell(small_cohort, tmp_path / "missing.gmt")
    bad = tmp_path / "bad.gmt"
    bad.write_text("one\ntwo\tx\tA B\n")
    with pytest.raises(InputError) as caught:
        first_cell(small_cohort, bad)
    assert len(caught.value.problems) == 2
    bad.write_text("one\tx\tA\tB\n")
    with pytest.raises(InputError, match="none of its 1 sets has at least 10"):
        first_cell(small_cohort, bad)


def test_a_stated_file_must_be_given_again_and_the_core_panel_lets_go_of_it(small_cohort, file):
    sweep = first_cell(small_cohort, file)[0].sweep
    with pytest.raises(InputError, match=r"gene sets of sets\.gmt; add --gene-sets FILE"):
        with_gene_sets(sweep, None, small_cohort.genes)
    core, sets = with_gene_sets(sweep.model_copy(update={"panel": "core"}), None, small_cohort.genes)
    assert (core.gene_sets, sets) == (None, None)
