"""TCGA barcodes and the one sample that stands for a patient."""

import random

import pytest

from gexbench.tasks.importing.barcodes import Barcode, barcode, chosen, named_type, patient_of


def of(*names: str) -> list[Barcode]:
    return [found for name in names if (found := barcode(name))]


def test_fields() -> None:
    full = barcode("TCGA-05-4249-01A-01R-1107-07")
    assert full == Barcode("TCGA-05-4249-01A-01R-1107-07", "TCGA-05-4249", "01", "A", "01", "1107")
    assert (full.site, full.sample) == ("05", "TCGA-05-4249-01A")
    assert barcode("TCGA-05-4249-11") == Barcode("TCGA-05-4249-11", "TCGA-05-4249", "11", "", "", "")
    assert patient_of("TCGA-02-0003-01Z-00-DX2.c7652d8d.pt") == "TCGA-02-0003"


@pytest.mark.parametrize("name", ["TCGA-05-4249", "GTEX-1117F-0226-SM-5GZZ7", "tcga-05-4249-01", "TCGA-05-4249-1A", ""])
def test_other_names_are_no_samples(name: str) -> None:
    assert barcode(name) is None


def test_one_sample_per_patient_by_vial_portion_and_plate() -> None:
    names = [
        "TCGA-05-0001-01B-11R-0001-07",
        "TCGA-05-0001-01A-12R-0001-07",
        "TCGA-05-0001-01A-11R-0003-07",
        "TCGA-05-0001-01A-11R-0002-07",
        "TCGA-05-0001-11A-11R-0001-07",
        "TCGA-05-0002-01B-11R-0001-07",
        "TCGA-05-0003-11A-11R-0001-07",
    ]
    for seed in range(5):
        random.Random(seed).shuffle(names)
        kept = {sample.name for sample in chosen(of(*names), ("01",), "one")}
        assert kept == {"TCGA-05-0001-01A-11R-0002-07", "TCGA-05-0002-01B-11R-0001-07"}


def test_the_first_type_is_preferred_and_all_keeps_all() -> None:
    samples = of("TCGA-05-0001-06A", "TCGA-05-0001-01A", "TCGA-05-0002-06A", "TCGA-05-0002-11A")
    assert [one.name for one in chosen(samples, ("06", "01"), "one")] == ["TCGA-05-0001-06A", "TCGA-05-0002-06A"]
    assert [one.name for one in chosen(samples, ("01", "06"), "one")] == ["TCGA-05-0001-01A", "TCGA-05-0002-06A"]
    assert len(chosen(samples, ("01", "06", "11"), "all")) == 4


def test_types_have_names() -> None:
    assert named_type("11") == "normal tissue"
    assert named_type("40") == "sample type 40"
