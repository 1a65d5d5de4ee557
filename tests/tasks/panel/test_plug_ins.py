"""Metrics and tasks of other packages: listed, computed, kept apart from the suite's, alone with their faults."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from gexbench.benchmark.cells.scoring import real_fold
from gexbench.benchmark.sweeps.keys import metric_versions
from gexbench.metrics import CATALOGUE, Findings, Metric, NotApplicable, Step, SyntheticRows, Task, evaluate, prepare
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.panel.catalogue import catalogue, lookup, panel_specifications, place, shown_in, tasks, words
from gexbench.tasks.panel.plug_ins import installed
from gexbench.tasks.panel.preparation import fingerprint

METRIC, TASK = "gexbench.metrics", "gexbench.tasks"


@dataclass
class Point:
    """An entry point of a package `some-package`, or of another."""

    name: str
    given: object
    group: str = METRIC
    package: str = "some-package"

    @property
    def value(self):
        return f"{self.package}:THING"

    @property
    def dist(self):
        return SimpleNamespace(name=self.package)

    def load(self):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def metric(name="gap", compute=lambda given: float(np.abs(given.real.mean() - given.synthetic.mean())), **changes):
    declared = {
        "name": f"some_package.{name}",
        "title": "difference of the means",
        "family": "other",
        "goal": "lower",
        "range": (0.0, float("inf")),
        "cost": "nothing",
        "reference": "some paper",
        "compute": compute,
    }
    return Metric(**declared | changes)


@pytest.fixture
def install(monkeypatch):
    """Installs entry points, for as long as the test lasts."""

    def forget():
        installed.cache_clear()
        lookup.cache_clear()

    def given(*points):
        monkeypatch.setattr(
            "gexbench.tasks.files.plug_ins.entry_points",
            lambda group: [point for point in points if point.group == group],
        )
        forget()

    forget()
    yield given
    monkeypatch.undo()
    forget()


@pytest.fixture(scope="module")
def real(small_cohort):
    return real_fold(small_cohort, folds(small_cohort)[0])


@pytest.fixture(scope="module")
def prepared(real):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gexbench.tasks.panel.preparation.anchor_values", lambda *_: {"trtr": {}, "majority": {}})
        return prepare(real, seed=3)


@pytest.fixture
def scored(prepared, monkeypatch):
    """Values of the plug-ins on the real rows themselves, without the suite's own metrics."""
    rows = SyntheticRows(prepared.rows.test, prepared.rows.train, None)
    monkeypatch.setattr("gexbench.tasks.panel.evaluation.tasks", lambda: tasks()[len(_own()) :])
    return lambda panel="core": evaluate(prepared, rows, panel=panel)


def _own():
    from gexbench.tasks.panel.built_in import BUILT_IN

    return BUILT_IN


def test_a_metric_is_listed_looked_up_and_computed(install, scored):
    install(Point("some_package.gap", metric(short="gap", tables=("main",))))
    assert catalogue()[:-1] == CATALOGUE
    assert lookup("some_package.gap").package == "some_package"
    assert shown_in("main")[-1].name == "some_package.gap"
    assert words("some_package.gap") == ("gap", "")
    assert place("frechet") < place("some_package.gap") < place("nowhere.gap")
    result = scored()
    assert result.values["some_package.gap"].value == 0.0
    assert set(result.seconds) == {"some_package.gap"}


def test_versions_enter_keys_and_nothing_else_changes(install, real):
    before, kept = metric_versions("core"), fingerprint(real, 3)
    install(Point("some_package.gap", metric(version=3)))
    assert metric_versions("core") == {**before, "some_package.gap": 3}
    assert fingerprint(real, 3) == kept
    assert panel_specifications("core", plug_ins=False) == tuple(m for m in CATALOGUE if m.panel == "core")
    install(Point("some_package.gap", metric(panel="extended")))
    assert metric_versions("core") == before


def test_a_metric_per_label_gets_every_label_column(install, scored, real):
    seen = metric(compute=lambda given, label: float(len(given.rows.labels[label])), per_label=True, needs=("labels",))
    install(Point("some_package.gap", seen))
    assert list(scored().values) == [f"some_package.gap[{label}]" for label in real.labels]


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (lambda given: 1 / 0, "failed: ZeroDivisionError: division by zero"),
        (lambda given: given.nothing, "failed: AttributeError"),
        (lambda given: "many", "failed: ValueError: could not convert"),
        (lambda given: float("nan"), "failed: the value is nan"),
        (lambda given: given.training.rows.mean(), "failed: ValueError: real training rows are withheld"),
        (lambda given: given.real.sort(), "failed: ValueError: sort array is read-only"),
        (lambda given: given.rows.test.fill(0), "failed: ValueError: assignment destination is read-only"),
        (lambda given: Findings({CATALOGUE[0]: 1.0}), "failed: ValueError: some_package.gap returned precision"),
        (lambda given: Findings({}, extra={"modules": 1.0}), "failed: ValueError: some_package.gap returned modules"),
        (
            lambda given: Findings({}, extra={"some_package.x": float("inf")}),
            "failed: ValueError: a figure beside the metric is inf",
        ),
    ],
)
def test_a_fault_costs_the_metric_alone(install, scored, compute, reason):
    install(Point("some_package.bad", metric("bad", compute)), Point("some_package.gap", metric()))
    result = scored()
    assert result.values["some_package.bad"].reason.startswith(reason.replace("some_package.gap", "some_package.bad"))
    assert result.values["some_package.gap"].value == 0.0
    assert result.extra == {}


def test_it_may_say_that_it_does_not_apply_and_asks_for_training_rows(install, scored):
    def never(given):
        raise NotApplicable("the rows are too few")

    trained = metric("trained", lambda given: float(len(given.training.rows)), needs=("training",))
    install(Point("some_package.gap", metric(compute=never)), Point("some_package.trained", trained))
    values = scored().values
    assert values["some_package.gap"].reason == "not applicable: the rows are too few"
    assert values["some_package.trained"].value > 100


def _task(together=None, **changes):
    first, second = metric("first", None), metric("second", None)

    def both(given):
        found = {"A": 0.5}
        return Findings({first: 1.0, second: 2.0}, {"some_package.share": found}, {"some_package.n": 3})

    steps = together or (lambda rows: [Step("both", (first, second), both)])
    given = {"together": steps, "per_class": {"some_package.share": "share by class"}, **changes}
    return Task("halves", "are there halves?", (first, second), **given)


def test_a_task_computes_its_metrics_together(install, scored):
    install(Point("halves", _task(), TASK))
    assert tasks()[-1].question == "are there halves?"
    assert words("some_package.share") == ("share by class", "")
    result = scored()
    assert [found.value for found in result.values.values()] == [1.0, 2.0]
    assert result.per_class == {"some_package.share": {"A": 0.5}}
    assert result.extra == {"some_package.n": 3.0}
    assert set(result.seconds) == {"some_package.both"}


def test_a_task_whose_steps_fail_says_so_for_every_metric(install, scored):
    for together, said in (
        (lambda rows: [], "some_package.first is computed by no step"),
        (lambda rows: 1 / 0, "Zero"),
    ):
        install(Point("halves", _task(together), TASK))
        reasons = [found.reason for found in scored().values.values()]
        assert len(reasons) == 2
        assert all(said in reason for reason in reasons)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (
            Point("some_package.gap", ImportError("No module named 'x'")),
            "package some-package cannot be imported (Import",
        ),
        (Point("some_package.gap", "text"), "must give a Metric named 'some_package.gap'"),
        (Point("some_package.other", metric()), "must give a Metric named 'some_package.other'"),
        (Point("halves", metric(), TASK), "must give a Task named 'halves'"),
        (Point("some_package.gap", metric(), METRIC, "other"), "name metric 'some_package.gap' other.gap"),
        (Point("some_package.gap", metric(compute=None)), "has no compute"),
        (Point("halves", replace(_task(), metrics=()), TASK), "declares no metric"),
        (
            Point(
                "some_package.gap",
                metric(family="structure", in_overall=True, floor="worst-trivial", ceiling="real-holdout"),
            ),
            "cannot enter the overall score",
        ),
    ],
)
def test_what_cannot_be_used_is_one_broken_line(install, point, said, capsys):
    from gexbench.benchmark.commands.ls import _metrics, _tasks

    install(point)
    (broken,) = installed()
    assert said in broken.broken
    assert point.package in broken.broken
    assert catalogue() == CATALOGUE
    listed = list(_tasks() if point.group == TASK else _metrics())[-1]
    assert (listed[0], listed[-1]) == (point.name, broken.broken)


def test_a_name_is_taken_once(install):
    install(Point("some_package.first", metric("first")), Point("halves", _task(), TASK))
    first, second = installed()
    assert (first.broken, second.task) == ("", None)
    assert "is declared by some-package and by some-package; rename one of them" in second.broken
    assert len([metric for metric in catalogue() if metric.name == "some_package.first"]) == 1
    install(Point("privacy", replace(_task(), name="privacy"), TASK))
    (taken,) = (each for each in installed() if each.broken)
    assert taken.broken.startswith("task 'privacy' is declared by gexbench and by some-package")
    assert len([task for task in tasks() if task.name == "privacy"]) == 1


def test_a_metric_of_a_package_that_is_not_installed_is_a_bare_diagnostic():
    absent = lookup("nowhere.gap[project]")
    assert (absent.goal, absent.in_overall, absent.short) == ("diagnostic", False, "gap")
    assert "package nowhere, which is not installed here" in absent.title
    with pytest.raises(KeyError, match="did you mean"):
        lookup("frechett")
