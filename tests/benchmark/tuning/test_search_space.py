"""Search spaces: what a dimension holds, and that those of the built-in generators fit their settings."""

import math

import pytest

from gexbench.models import BUILT_IN
from gexbench.models.registry import Entry, resolve_settings
from gexbench.models.settings.search_space import Choice, IntRange, LogRange
from gexbench.tasks.errors import InputError

TUNABLE = [entry for entry in BUILT_IN if not entry.unavailable and entry.settings_class().search_space]


def test_a_dimension_takes_in_a_default_that_lies_outside() -> None:
    assert LogRange(1e-3, 1e-1).including(1e-5) == LogRange(1e-5, 1e-1)
    assert LogRange(1e-3, 1e-1).including(1e-2) == LogRange(1e-3, 1e-1)
    assert IntRange(1, 4).including(9) == IntRange(1, 9)
    assert Choice((1, 2)).including(None) == Choice((1, 2, None))
    assert Choice((1, 2)).including(2) == Choice((1, 2))
    assert Choice((1,)).including(True).values == (1, True)


def test_ranges_that_are_none_are_refused() -> None:
    for make in (lambda: LogRange(0.0, 1.0), lambda: LogRange(2.0, 1.0), lambda: IntRange(3, 3)):
        with pytest.raises(ValueError, match="needs"):
            make()
    with pytest.raises(ValueError, match="needs"):
        IntRange(0, 3, log=True)


def corners(dimension: Choice | LogRange | IntRange) -> tuple[object, ...]:
    return dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)


@pytest.mark.parametrize("budget", ["quick", "cpu", "full"])
@pytest.mark.parametrize("entry", TUNABLE, ids=lambda entry: entry.name)
def test_every_value_of_a_built_in_space_is_a_valid_setting(entry: Entry, budget: str) -> None:
    defaults = resolve_settings(entry, budget).model_dump(mode="json")
    for name, dimension in entry.settings_class().search_space.items():
        assert name in defaults, name
        assert name not in {"steps", "batch", "checkpoints", "conditioning"}, "a budget fixes these"
        for value in corners(dimension.including(defaults[name])):
            try:
                settings = resolve_settings(entry, budget, {**entry.settings, name: value})
            except InputError as error:
                pytest.fail(f"{name} = {value!r}: {error}")
            assert getattr(settings, name) == value or math.isclose(getattr(settings, name), value)  # type: ignore[arg-type]
