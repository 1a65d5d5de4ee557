"""Shares of a sweep from several results folders, their stores copied together, make the whole sweep."""

import dataclasses
import shutil

import pytest


@pytest.mark.slow  # three sweeps with processes of their own
def test_copied_stores_hold_every_cell_of_the_whole_sweep(workbench, tmp_path):
    whole = dataclasses.replace(workbench, results=tmp_path / "whole")
    for part, name in (("part-1", "one"), ("part-2", "two")):
        runner = dataclasses.replace(workbench, results=tmp_path / part).runner({name: {"shift": 0.5}})
        assert runner.run(2, workbench.display()).states["ok"] == len(runner.plan.cells)
        shutil.copytree(tmp_path / part / "store", whole.results / "store", dirs_exist_ok=True)
    joined = whole.runner({"one": {"shift": 0.5}, "two": {"shift": 0.5}})
    assert {joined.state_of(cell) for cell in joined.plan.cells} == {"cached"}
    summary = joined.run(1, workbench.display())
    assert summary.cached == len(joined.plan.cells)
    assert {path.name.split(".")[0] for path in (joined.folder / "records").iterdir()} >= {"one", "two"}
