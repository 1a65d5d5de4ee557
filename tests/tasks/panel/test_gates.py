"""Every gate passes honest rows and finds a planted fault; verdicts over folds."""

import numpy as np
import pytest

from gexbench.metrics.gates.class_copula import class_copula_rows
from gexbench.tasks.panel.declarations.rows import PartLabels, RealRows, SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.gates import verdicts
from gexbench.tasks.panel.preparation import prepare

GENES, FOLDS = 40, 2
SIZES = {"train": 360, "validation": 90, "test": 150, "audit": 150}
CLASSES = np.array(["a", "b", "c"])


def drawn(labels, rng):
    world = np.random.default_rng(7)
    centres, loadings = world.normal(4, 1, (3, GENES)), world.normal(0, 0.4, (5, GENES))
    hidden = rng.normal(size=(len(labels), 5)) @ loadings
    noise = rng.normal(0, 0.5, (len(labels), GENES))
    return (centres[np.searchsorted(CLASSES, labels)] + hidden + noise).astype(np.float32)


def real_rows(seed, **changed):
    rng = np.random.default_rng(seed)
    labels = {part: CLASSES[np.arange(size) % 3] for part, size in SIZES.items()}
    rows = {part: drawn(each, rng) for part, each in labels.items()}
    ids = {f"{part}_ids": np.array([f"{part}{seed}.{row}" for row in range(size)]) for part, size in SIZES.items()}
    given = {
        "genes": tuple(f"G{gene}" for gene in range(GENES)),
        **rows,
        **ids,
        "labels": {"project": PartLabels(**labels)},
        "finest": "project",
        "left_out": {},
        "set_rows": np.arange(SIZES["test"]),
        "floor": None,
        "exchangeable": True,
    }
    return RealRows(**{**given, **changed})


@pytest.fixture(scope="module")
def folds():
    return [prepare(real_rows(seed), seed=seed) for seed in range(FOLDS)]


def honest(rows, rng):
    return {part: drawn(getattr(rows.labels["project"], part), rng) for part in ("test", "train")}


def means(rows, part, source, k, rng, *, spread=True):
    """Means of k rows of the class of a source, their spread restored or not."""
    known, labels = getattr(rows, source), getattr(rows.labels["project"], source)
    asked = getattr(rows.labels["project"], part)
    made = np.empty((len(asked), GENES), dtype=np.float32)
    for at, name in enumerate(asked):
        own = known[labels == name]
        centre = own.mean(axis=0)
        made[at] = centre + (np.sqrt(k) if spread else 1.0) * (
            own[rng.choice(len(own), k, replace=False)].mean(axis=0) - centre
        )
    return made


def judged(folds, make, paired=None, *, reference=False):
    found = []
    for prepared in folds:
        rng = np.random.default_rng(11 + prepared.seed)
        made = make(prepared.rows, rng)
        draws = None if paired is None else paired(prepared.rows, rng).astype(np.float16)
        found.append(evaluate(prepared, SyntheticRows(made["test"], made["train"], draws), plug_ins=False).gates)
    return {verdict.gate: verdict for verdict in verdicts(found, reference=reference)}


def states(found):
    return {gate: verdict.state for gate, verdict in found.items()}


PASSED = {"copies": "passed", "membership": "passed", "test leak": "passed"}


@pytest.fixture(autouse=True)
def _gates_only(monkeypatch):
    """The other steps of the panel cost seconds and say nothing here."""
    from gexbench.tasks.panel import evaluation
    from gexbench.tasks.panel.questions import privacy

    monkeypatch.setattr(evaluation, "tasks", lambda: (privacy.TASK,))


def test_honest_rows_pass_every_gate(folds):
    found = judged(folds, honest, lambda rows, rng: np.stack([drawn(rows.labels["project"].test, rng)] * 3, axis=1))
    assert states(found) == PASSED


def test_a_class_copula_of_training_rows_passes(folds):
    def made(rows, rng):
        labels = rows.labels["project"]
        seed = int(rng.integers(1000))
        return {
            part: class_copula_rows(rows.train, labels.train, getattr(labels, part), seed) for part in ("test", "train")
        }

    assert states(judged(folds, made)) == PASSED


def _with(part, source, k, *, spread=True):
    def made(rows, rng):
        result = honest(rows, rng)
        result[part] = means(rows, part, source, k, rng, spread=spread)
        return result

    return made


@pytest.mark.parametrize(("part", "source"), [("test", "train"), ("train", "train"), ("test", "validation")])
@pytest.mark.parametrize("k", [1, 2])
def test_rows_of_few_donors_are_copies(folds, part, source, k):
    found = judged(folds, _with(part, source, k, spread=False))["copies"]
    assert found.state == "failed"
    assert found.interval[0] > 0.05
    assert {"train": "training", "validation": "validation"}[source] in found.words


@pytest.mark.parametrize("source", ["train", "validation"])
def test_means_of_six_betray_members(folds, source):
    def made(rows, rng):
        return {part: means(rows, part, source, 6, rng) for part in ("test", "train")}

    found = judged(folds, made)["membership"]
    assert found.state == "failed"
    assert found.figure > 0.6
    assert {"train": "training patients", "validation": "validation patients"}[source] in found.words


@pytest.mark.parametrize("k", [1, 6])
@pytest.mark.parametrize("part", ["test", "train"])
def test_rows_of_test_patients_are_a_leak(folds, part, k):
    found = judged(folds, _with(part, "test", k))
    assert found["test leak"].state == "failed"
    assert "test leak" not in judged(folds, _with(part, "test", k), reference=True)


def test_noisy_rows_of_the_test_patients_themselves_are_a_leak(folds):
    def made(rows, rng):
        noise = 0.3 * rng.normal(size=rows.test.shape).astype(np.float32)
        return {**honest(rows, rng), "test": rows.test + noise}

    found = judged(folds, made)
    assert states(found) == {**PASSED, "test leak": "failed"}
    assert "one test sample" in found["test leak"].words


def test_copies_among_paired_draws_alone_are_found(folds):
    found = judged(folds, honest, lambda rows, rng: np.stack([means(rows, "test", "train", 2, rng)] * 3, axis=1))
    assert found["copies"].state == "failed"
    assert "paired" in found["copies"].words


def test_audit_rows_are_no_leak_and_betray_nobody(folds):
    def made(rows, rng):
        return {part: means(rows, part, "audit", 1, rng) for part in ("test", "train")}

    assert states(judged(folds, made)) == PASSED


def test_names_decide_who_is_compared_and_the_order_of_rows_does_not(folds):
    prepared = folds[0]
    rows = prepared.rows
    order = {part: np.random.default_rng(3).permutation(size) for part, size in SIZES.items()}
    parts = {part: getattr(rows, part)[each] for part, each in order.items()}
    ids = {f"{part}_ids": getattr(rows, f"{part}_ids")[each] for part, each in order.items()}
    labels = PartLabels(*(getattr(rows.labels["project"], part)[order[part]] for part in PartLabels._fields))
    moved = prepare(real_rows(0, **parts, **ids, labels={"project": labels}), seed=0)
    made = honest(rows, np.random.default_rng(0))
    expected = evaluate(prepared, SyntheticRows(made["test"], made["train"], None), plug_ins=False).gates
    found = evaluate(
        moved, SyntheticRows(made["test"][order["test"]], made["train"][order["train"]], None), plug_ins=False
    ).gates
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        if name.startswith(("copies", "leak/")):
            assert found[name] == numbers
        else:
            assert found[name]["auc"] == pytest.approx(numbers["auc"], abs=0.01)


def test_few_patients_judge_nobody_but_exact_copiers():
    few = {"count": 9.0, "rows": 30.0, "audit_rows": 30.0, "rank": 1.0}
    folds = [{"copies/one/test/training": {**few, "exact": exact}} for exact in (0.0, 0.0)]
    (verdict,) = verdicts(folds, reference=False)
    assert verdict.state == "too few patients"
    (verdict,) = verdicts([{"copies/one/test/training": {**few, "exact": 9.0}}] * 2, reference=False)
    assert verdict.state == "failed"
    assert "equal a training sample" in verdict.words
    assert verdicts([], reference=False) == ()


def test_the_line_of_membership_is_the_class_copula_and_a_margin():
    def row(auc, sd, nonmembers=200.0):
        numbers = {"auc": auc, "reference": 0.55, "sd": sd, "null_sd": 0.03, "members": 200.0, "nonmembers": nonmembers}
        return verdicts([{"membership/training/ratio": numbers}] * 4, reference=False)[0]

    # 0.55 + 0.03 + 1.645 · 0.01 / √4
    assert row(0.588, 0.01).state == "passed"
    assert row(0.589, 0.01).state == "failed"
    assert row(0.9, 0.01, nonmembers=24.0).state == "too few patients"
    assert row(0.6, 0.01).interval == pytest.approx((0.6 - 0.0082, 0.6 + 0.0082), abs=1e-4)


def test_patients_who_were_not_dealt_at_random_are_not_compared(folds):
    rows = real_rows(0, exchangeable=False)
    made = honest(rows, np.random.default_rng(0))
    result = evaluate(prepare(rows, seed=0), SyntheticRows(made["test"], made["train"], None), plug_ins=False)
    assert {name.split("/")[0] for name in result.gates} == {"copies", "leak"}
    dealt = real_rows(0, exchangeable=None)
    assert prepare(dealt, seed=0).training.compared
    other = real_rows(0, exchangeable=None, test=1.5 * rows.test)
    prepared = prepare(other, seed=0)
    assert not prepared.training.compared
    result = evaluate(prepared, SyntheticRows(made["test"], made["train"], None), plug_ins=False)
    assert "differ before any generator has seen them" in result.values["membership_auc"].reason
