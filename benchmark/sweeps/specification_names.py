"""Names in a specification that stand for nothing: cohorts, folds, generators, settings, leaderboards."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from gexbench.benchmark.authoring.local_generators import names_a_file
from gexbench.benchmark.sweeps.seed_counts import OTHERS
from gexbench.benchmark.sweeps.sweep import BUDGETS
from gexbench.models.registry import BrokenGenerator, Registry, resolve_settings
from gexbench.tasks.cohorts.folds import PARTS
from gexbench.tasks.data_directory import list_cohorts
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown


def unknown_things(content: Mapping[str, Any], registry: Registry) -> Sequence[str]:
    """Cohorts, folds, generators and settings that do not exist; ill-typed parts are left to the types' check."""
    problems: list[str] = []
    cohort, folds, names, board = (content.get(key) for key in ("cohort", "folds", "generators", "name"))
    if isinstance(board, str):
        try:
            checked_name(board, "leaderboard")
        except InputError as error:
            problems += error.problems
    known = [name for name, _ in list_cohorts()]
    if isinstance(cohort, str) and cohort not in known:
        problems.append(f"{unknown(cohort, known, 'cohort')}; build one with `gexbench cohort build`")
    if isinstance(folds, list) and (bad := [index for index in folds if index not in range(PARTS)]):
        problems.append(f"folds {bad}: every cohort has folds 0 to {PARTS - 1}")
    wanted = names if isinstance(names, list) else []
    problems += [_no_generator(name, registry) for name in map(str, wanted) if name not in registry]
    seeds = content.get("seeds")
    for name in seeds if isinstance(seeds, dict) else ():
        if name != OTHERS and name not in registry and name not in wanted:
            problems.append(f"seeds of {_no_generator(str(name), registry)}")
    return [*problems, *_unknown_settings(content, wanted, registry)]


def _unknown_settings(content: Mapping[str, Any], wanted: Collection[str], registry: Registry) -> Iterator[str]:
    settings, budget = content.get("settings", {}), content.get("budget", BUDGETS[0])
    for name, values in settings.items() if isinstance(settings, dict) and budget in BUDGETS else ():
        if name not in registry:
            if name not in wanted:
                yield f"settings of {_no_generator(str(name), registry)}"
        elif isinstance(values, dict):
            try:
                resolve_settings(registry[name], str(budget), values)
            except BrokenGenerator:
                continue  # the plan skips its cells and says why
            except InputError as error:
                yield from error.problems


def _no_generator(name: str, registry: Registry) -> str:
    """Why a name is no generator's; the code of a file runs because the user typed its path, never unasked."""
    if names_a_file(name):
        return (
            f"generator {name!r} is a file, whose code runs only when it is named on the command line: "
            "leave it out here and give --generators FILE.py:Class, with the names of the others beside it"
        )
    return str(unknown(name, registry, "generator"))
