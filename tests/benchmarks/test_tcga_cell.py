"""Wall clock of scoring one cell of the TCGA cohort, on rows of generators that are fitted here.

Needs the built cohort (``gexbench cohort build tcga``) in the data directory; ``GEXBENCH_GENE_SETS`` names a .gmt file
for the pathway metrics, which are not applicable without one. The limits are those of two free cores.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold, score
from gexbench.benchmark.cells.training import train_and_sample
from gexbench.benchmark.sweeps.cells import Plan
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.models import registry
from gexbench.models.contract import Budget
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.declarations.metric import Panel
from gexbench.tasks.panel.declarations.rows import Prepared
from gexbench.tasks.panel.evaluation import PanelResult
from gexbench.tasks.panel.gene_sets import GeneSets, read_gene_sets

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(1200)]

GENERATORS = ("class-gaussian", "cvae")
LIMITS_S: dict[Panel, float] = {"core": 25.0, "extended": 120.0}
SLOWEST = 5


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    try:
        return load_cohort("tcga")
    except InputError as error:
        pytest.skip(f"the TCGA cohort is not built: {error}")


@pytest.fixture(scope="module")
def gene_sets() -> GeneSets | None:
    path = os.environ.get("GEXBENCH_GENE_SETS")
    return None if path is None else read_gene_sets(Path(path))


@pytest.fixture(scope="module")
def planned(cohort: Cohort) -> Plan:
    known = registry()
    return plan(
        sweep_of(known, generators=GENERATORS, cohort="tcga", folds=(0,), budget="quick"), known, cohort, "tcga"
    )


@pytest.fixture(scope="module")
def rows(cohort: Cohort, planned: Plan) -> dict[str, dict[str, NDArray[Any]]]:
    """What a cell of each generator leaves, at the budget quick: a longer fit changes little of what scoring takes."""
    cells = {cell.entry.name: cell for cell in planned.cells}
    device_fold = put_on_device(cohort, planned.folds[0], fingerprint="tcga")
    return {
        name: train_and_sample(cells[name], device_fold, Budget("quick"), lambda *_: None).arrays for name in GENERATORS
    }


@pytest.fixture(scope="module")
def prepared(cohort: Cohort, planned: Plan, gene_sets: GeneSets | None) -> dict[str, Prepared]:
    core = prepare_fold(cohort, planned.folds[0], "tcga")
    return {
        "core": core,
        "extended": prepare_fold(cohort, planned.folds[0], "tcga", core.cacheable, "extended", gene_sets),
    }


@pytest.mark.parametrize("panel", LIMITS_S)
def test_shared_work_of_a_fold(
    benchmark: Any, cohort: Cohort, planned: Plan, gene_sets: GeneSets | None, panel: Panel
) -> None:
    """Once per fold, for all generators."""
    benchmark.pedantic(
        lambda: prepare_fold(cohort, planned.folds[0], "tcga", None, panel, gene_sets if panel == "extended" else None),
        rounds=1,
    )
    print(f"prepare, {panel}: {benchmark.stats.stats.median:.1f} s")


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("panel", LIMITS_S)
def test_a_cell_is_scored_within_the_limit(
    benchmark: Any,
    prepared: dict[str, Prepared],
    rows: dict[str, dict[str, NDArray[Any]]],
    panel: Panel,
    generator: str,
) -> None:
    found: list[tuple[PanelResult, dict[str, float]]] = []
    benchmark.pedantic(
        lambda: found.append(score(prepared[panel], rows[generator], panel, True, lambda *_: None)), rounds=1
    )
    result, seconds = found[-1]
    slowest = sorted(result.seconds.items(), key=lambda step: -step[1])[:SLOWEST]
    benchmark.extra_info |= {f"{name}_s": round(value, 1) for name, value in seconds.items()}
    benchmark.extra_info["slowest_steps_cpu_s"] = {name: round(value, 1) for name, value in slowest}
    print(generator, panel, benchmark.extra_info)
    assert seconds["wall"] < LIMITS_S[panel]
    without = {key: metric.reason for key, metric in result.values.items() if metric.value is None}
    assert all(str(reason).startswith("not applicable: no gene sets") for reason in without.values()), without
    assert np.isfinite([metric.value for metric in result.values.values() if metric.value is not None]).all()
