"""Seeds, names and units."""

import math
import subprocess
import sys

import numpy as np
import pytest

from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown
from gexbench.tasks.seeds import derive_seed, generator_seed


def test_every_axis_changes_the_seed():
    base = derive_seed(cohort="a", fold=0, generator="g", repeat=0, purpose="fit")
    others = [
        derive_seed(cohort="b", fold=0, generator="g", repeat=0, purpose="fit"),
        derive_seed(cohort="a", fold=1, generator="g", repeat=0, purpose="fit"),
        derive_seed(cohort="a", fold=0, generator="h", repeat=0, purpose="fit"),
        derive_seed(cohort="a", fold=0, generator="g", repeat=1, purpose="fit"),
        derive_seed(cohort="a", fold=0, generator="g", repeat=0, purpose="test"),
    ]
    assert len({base, *others}) == 6
    assert base == derive_seed(purpose="fit", repeat=0, generator="g", fold=0, cohort="a")
    assert 0 <= base < 2**63


def test_generators_are_handed_seeds_that_every_library_takes():
    seeds = [generator_seed(cohort="a", repeat=repeat) for repeat in range(2000)]
    assert len({*seeds}) == 2000
    assert 2**30 < max(seeds) < 2**31
    assert min(seeds) >= 0
    for seed in (min(seeds), max(seeds)):
        np.random.RandomState(seed)


def test_seeds_do_not_depend_on_the_process():
    code = "from gexbench.tasks.seeds import derive_seed; print(derive_seed(cohort='a', fold=3))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{derive_seed(cohort='a', fold=3)}\n"}


def test_hash_order_goes_by_id_not_by_position():
    ids = np.array([f"P{i}" for i in range(50)])
    shuffled = np.random.default_rng(0).permutation(ids)
    np.testing.assert_array_equal(ids[hash_order(7, ids)], shuffled[hash_order(7, shuffled)])
    assert list(ids[hash_order(7, ids)]) != list(ids[hash_order(8, ids)])


@pytest.mark.parametrize("bad", ["", "A", "-a", "a b", "a" * 65, "../x", "x/y"])
def test_bad_names_are_refused(bad):
    with pytest.raises(InputError, match="cohort name"):
        checked_name(bad, "cohort")


def test_misspelt_names_get_a_suggestion():
    assert "did you mean 'gemm-gan'?" in str(unknown("gem-gan", ["gemm-gan", "vae"], "generator"))


@pytest.mark.parametrize(
    ("name", "floor"), [("counts", 0.0), ("log2(rsem+1)", 0.0), ("log2(tpm+0.001)", math.log2(0.001)), ("other", None)]
)
def test_floors_of_units(name, floor):
    assert Unit(name).floor == floor


@pytest.mark.parametrize("bad", ["log2(tpm)", "tpm", "log2(tpm+0)", "log10(tpm+1)"])
def test_unknown_units_are_refused(bad):
    with pytest.raises(InputError, match="unit"):
        Unit(bad)
