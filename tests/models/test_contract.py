"""The contract, checked on every built-in generator: a generator of your own must pass the same."""

from collections.abc import Callable
from functools import cache

import pytest
import torch

from gexbench.benchmark.conformance import CHECKS, Check, Subject, checked
from gexbench.benchmark.conformance.observation import DeviceGuard
from gexbench.models import BUILT_IN, registry
from gexbench.models.contract import Budget, Diverged, Generator, budget_asked, silent
from gexbench.models.registry import create, resolve_settings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError

NAMES = [entry.name for entry in BUILT_IN]
SKIPPED_BY_REFERENCES = {"training seed", "progress"}

Subjects = Callable[[str], Subject]


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def data(request: pytest.FixtureRequest, small_cohort: Cohort) -> DeviceFold:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return put_on_device(small_cohort, folds(small_cohort)[0], request.param)


@pytest.fixture(scope="module")
def subject(data: DeviceFold) -> Subjects:
    """The generator of a name, fitted once."""
    return cache(lambda name: Subject(registry()[name], data))


def passes(check: Check, subject: Subject) -> None:
    finding = checked(check, subject)
    assert finding.state != "broken", finding.lesson
    if finding.state == "skipped":
        assert subject.entry.is_reference, finding.what
        assert check.name in SKIPPED_BY_REFERENCES, finding.what


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", [check for check in CHECKS if check.name != "cost"], ids=lambda check: check.name)
def test_the_contract(name: str, check: Check, subject: Subjects) -> None:
    assert registry()[name].unavailable is None
    passes(check, subject(name))


@pytest.mark.slow  # fits every generator with all steps of budget quick: two minutes
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_at_budget_quick_stays_small(name: str, subject: Subjects) -> None:
    passes(next(check for check in CHECKS if check.name == "cost"), subject(name))


def test_the_device_guard_notices() -> None:
    with DeviceGuard() as guard:
        torch.zeros(3)
    assert [found.partition(" ")[0] for found in guard.found] == ["torch.zeros"]
    with DeviceGuard() as guard, torch.device("cpu"):
        torch.zeros(3)
    assert guard.found == []


@pytest.mark.parametrize("name", NAMES)
def test_declared_conditions_agree_without_data(name: str) -> None:
    entry = registry()[name]
    generator = entry.load()
    settings = resolve_settings(entry, "quick")
    assert generator.conditions_used(settings) == set(entry.conditions)
    assert type(settings) is generator.Settings


@pytest.mark.parametrize("name", NAMES)
def test_the_report_counts_parameters(name: str, subject: Subjects) -> None:
    assert subject(name).fitted.report.facts["parameters"] >= 0


TRAINED = [entry.name for entry in BUILT_IN if not entry.is_reference]


@pytest.mark.parametrize("name", TRAINED)
def test_the_report_states_the_spread_within_classes(name: str, subject: Subjects) -> None:
    assert subject(name).fitted.report.facts["within_class_variance_ratio"] > 0


@pytest.mark.parametrize("name", TRAINED)
def test_an_exploding_training_ends_as_diverged(name: str, data: DeviceFold) -> None:
    entry = registry()[name]
    fields = entry.settings_class().model_fields
    wanted = {"steps": 12, "checkpoints": 2, "learning_rate": 1e25, "critic_learning_rate": 1e25}
    generator = create(entry, "quick", {field: value for field, value in wanted.items() if field in fields})
    with pytest.raises(Diverged, match=r"loss is (nan|inf)"):
        generator.fit(data.train, data.validation, seed=0)


ENCODED = [entry.name for entry in BUILT_IN if entry.conditions and entry.family not in {"reference", "scvi"}]


@pytest.mark.parametrize("name", ENCODED)
def test_sampling_encodes_every_condition_once(
    name: str, subject: Subjects, data: DeviceFold, encoded_rows: dict[str, int]
) -> None:
    fitted = subject(name).fitted
    encoded_rows.clear()
    fitted.sample(data.test_conditions, 5, seed=0)
    assert list(encoded_rows.values()) == [len(data.test_conditions)]


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_setting_is_refused_with_a_suggestion(name: str) -> None:
    entry = registry()[name]
    fields = list(entry.settings_class().model_fields)
    typo = fields[0][:-1] if fields else "steps"
    hint = f"did you mean '{fields[0]}'" if fields else "known: none"
    with pytest.raises(InputError, match=f"unknown setting '{typo}'; {hint}"):
        create(entry, "quick", {typo: 1})


class WithBudget(Generator):
    def fit(self, train, validation, *, budget, seed, progress=silent): ...  # type: ignore[no-untyped-def]
    def sample(self, conditions, draws=1, *, seed): ...  # type: ignore[no-untyped-def]
    def state(self): ...  # type: ignore[no-untyped-def]
    def restore(self, tensors, facts, device): ...  # type: ignore[no-untyped-def]


class WithKeywords(WithBudget):
    def fit(self, train, validation, **more): ...  # type: ignore[no-untyped-def]


class Without(WithBudget):
    def fit(self, train, validation, *, seed, progress=silent): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(("cls", "asked"), [(WithBudget, True), (WithKeywords, True), (Without, False)])
def test_a_fit_that_asks_for_the_budget_is_given_it(cls: type[Generator], asked: bool) -> None:
    budget = Budget("cpu")
    assert budget_asked(cls(GeneratorSettings()), budget) == ({"budget": budget} if asked else {})


def test_no_built_in_generator_asks_for_the_budget() -> None:
    for entry in BUILT_IN:
        assert budget_asked(create(entry, "quick"), Budget("quick")) == {}, entry.name
