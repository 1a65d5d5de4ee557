"""The cohort card: counts by hand, and a leak that is 1 when a text names the label and chance when it does not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from gexbench.tasks.cards.card import card, label_leak
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.text.text_encoders import encode


def with_texts(cohort: Cohort, texts: list[str]) -> Cohort:
    return replace(cohort, text={"plain": encode(texts)})


def test_leak_of_a_text_that_names_the_label(small_cohort: Cohort) -> None:
    names = [f"Diagnosis: {name}." for name in small_cohort.labels("project")]
    assert label_leak(with_texts(small_cohort, names))["plain"]["project"] == 1.0


def test_leak_of_a_text_that_says_nothing(small_cohort: Cohort) -> None:
    rng = np.random.default_rng(0)
    texts = [f"Sex: {rng.integers(2)}." for _ in range(len(small_cohort))]
    chance = card(small_cohort).chance["project"]
    assert label_leak(with_texts(small_cohort, texts))["plain"]["project"] == pytest.approx(chance, abs=0.09)


def test_leak_is_fitted_on_one_thread(small_cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other work threads of small products wait for one another, and the last digits depend on their number."""
    seen: set[int] = set()
    fit = LogisticRegression.fit

    def watched(self: LogisticRegression, *given: object, **named: object) -> LogisticRegression:
        seen.update(library["num_threads"] for library in threadpool_info())
        return fit(self, *given, **named)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    label_leak(with_texts(small_cohort, [f"Sex: {row % 2}." for row in range(len(small_cohort))]))
    assert seen == {1}


def test_leak_does_not_depend_on_the_order_of_patients(small_cohort: Cohort) -> None:
    rng = np.random.default_rng(0)
    texts = [f"Site: {site if rng.random() < 0.5 else 'x'}." for site in small_cohort.labels("primary_site")]
    cohort = with_texts(small_cohort, texts)
    turned = cohort.take(np.arange(len(cohort))[::-1])
    assert label_leak(cohort)["plain"] == pytest.approx(label_leak(turned)["plain"], abs=1e-9)


def test_counts(small_cohort: Cohort) -> None:
    found = card(with_texts(small_cohort, ["Sex: male."] * len(small_cohort)))
    assert (found.samples, found.patients, found.genes, found.unit) == (240, 240, 40, "log2(rsem+1)")
    names, sizes = np.unique(small_cohort.labels("project"), return_counts=True)
    assert found.classes["project"] == dict(zip(names.tolist(), sizes.tolist(), strict=True))
    assert list(found.classes["project"].values()) == sorted(sizes.tolist(), reverse=True)
    assert set(found.small_classes["project"]) == set(names[sizes < 25])
    assert found.missing["ajcc_stage"] == int(small_cohort.clinical["ajcc_stage"].isna().sum()) > 0
    assert found.missing["project"] == 0
    assert "fold_random" not in found.missing
    assert small_cohort.patches is not None
    assert found.modalities["patches"]["rows"] == len(small_cohort.patches.values)
    assert found.modalities["patches"]["samples"] == 240
    assert found.fingerprint != small_cohort.fingerprint()


def test_classes_count_patients_not_samples(small_cohort: Cohort) -> None:
    twice = small_cohort.take(np.repeat(np.arange(100), 2))
    samples = np.asarray([f"{name}-{row % 2}" for row, name in enumerate(twice.samples)])
    cohort = replace(twice, samples=samples, clinical=twice.clinical.set_axis(samples, axis=0), text={})
    found = card(cohort)
    assert (found.samples, found.patients) == (200, 100)
    assert sum(found.classes["project"].values()) == 100
    assert found.label_leak == {}
