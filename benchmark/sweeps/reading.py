"""Specifications as they come: ready-made ones, YAML files, the command line's changes, and their check."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gexbench.benchmark.authoring.local_generators import names_a_file
from gexbench.benchmark.authoring.local_process import planned_settings
from gexbench.benchmark.sweeps.seed_counts import OTHERS, merged_seeds
from gexbench.benchmark.sweeps.specification import Resources, Specification, keys, option_name
from gexbench.benchmark.sweeps.yaml_text import parsed
from gexbench.models.registry import BrokenGenerator, Registry
from gexbench.models.settings import BudgetName
from gexbench.tasks.cohorts.dealing import PARTS
from gexbench.tasks.data_directory import list_cohorts
from gexbench.tasks.errors import InputError, field_problem
from gexbench.tasks.files.input_paths import read_regular
from gexbench.tasks.names import checked_name, unknown

DEFAULT_SPECIFICATION = "default"
"""What `gexbench run` runs when none is named."""


@dataclass(frozen=True, slots=True)
class Given:
    """A specification before it is checked; without content, what the command line alone says.

    Attributes:
        content: of the file.
        place: the file's name, for messages.
        name: that the leaderboard's name ends in; None for the default one.
        folder: of a user's file, against which the files that it names are resolved; None for a ready-made one.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    place: str = "the command line"
    name: str | None = None
    folder: Path | None = None


def ready_made() -> tuple[str, ...]:
    """Names of the specifications that come with gexbench."""
    folder = files("gexbench.benchmark.sweeps") / "specifications"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


def given_specification(named: str) -> Given:
    """A ready-made specification by its name, or a user's file.

    Raises:
        InputError: neither; a file that is no YAML mapping.
    """
    if named in ready_made():
        text = (files("gexbench.benchmark.sweeps") / "specifications" / f"{named}.yaml").read_text(encoding="utf-8")
        return Given(parsed(text, named), f"specification {named}", None if named == DEFAULT_SPECIFICATION else named)
    path = Path(named)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        raise InputError(f"{unknown(named, ready_made(), 'specification')}, or name a .yaml file")
    try:
        text = read_regular(path, 2**22).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(
            f"{named}: cannot be read ({reason}); name a .yaml file or {', '.join(ready_made())}"
        ) from None
    return Given(parsed(text, path.name), path.name, path.stem, path.parent)


def checked(given: Given, typed: Mapping[str, Any], registry: Registry) -> Specification:
    """The specification with the command line's options in the place of its own values.

    Args:
        given: what was read.
        typed: key (`budget`, `resources.threads`) → value; `settings` are merged setting by setting, `seeds` by
            generator unless the option says what all have, and what belongs to generators that an option leaves out
            is dropped.
        registry: the generators that there are.

    Raises:
        InputError: every unknown key, ill-typed value, unknown cohort, fold, generator and setting, all at once.
    """
    problems: list[str] = []
    try:
        content = _merged(given.content, typed)
        found = Specification.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        problems += [_described(item, given.place, typed) for item in error.errors()]
    except ValueError as error:
        raise InputError(f"{given.place}: {error}") from None
    problems += [f"{_place(key, given.place, typed)}: {problem}" for key, problem in _unknown(content, registry)]
    if problems:
        raise InputError(problems)
    return _with_places(found, given, typed)


def _merged(content: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    merged = _settings_apart(content)
    settings, named = merged.get("settings", {}), typed.get("generators", "all")
    if named != "all" and isinstance(settings, dict):
        merged["settings"] = {name: values for name, values in settings.items() if name in named}
    if "seeds" in {*merged, *typed}:
        merged["seeds"] = merged_seeds(merged.get("seeds", 1), typed.get("seeds"), None if named == "all" else named)
    for key, value in typed.items():
        place, _, inner = key.partition(".")
        if inner:
            held = merged.get(place)
            merged[place] = {**held, inner: value} if isinstance(held, dict) else {inner: value}
        elif key == "settings" and isinstance(merged.get("settings", {}), dict):
            held = merged.get("settings", {})
            merged["settings"] = {
                **held, **{name: {**(held.get(name) or {}), **values} for name, values in value.items()}
            }  # fmt: skip
        elif key != "seeds":
            merged[key] = value
    return merged


def _settings_apart(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with a mapping of generators taken apart into names and settings.

    Raises:
        ValueError: settings of a generator in both places.
    """
    generators, settings = content.get("generators"), content.get("settings", {})
    if not isinstance(generators, dict) or not isinstance(settings, dict):
        return dict(content)
    given = {name: values for name, values in generators.items() if values}
    twice = [name for name in given if name in settings]
    if twice:
        raise ValueError(f"settings of {', '.join(twice)} stand under generators and under settings; keep one of them")
    return {**content, "generators": list(generators), "settings": {**settings, **given}}


def _place(key: str, file: str, typed: Mapping[str, Any]) -> str:
    """The option that gave a key's value, or the file."""
    of = next((name for name in typed if name in keys() and (key == name or key.startswith(f"{name}."))), None)
    if of is None or (isinstance(typed[of], dict) and key != of and key.split(".")[1] not in typed[of]):
        return file
    return option_name(of)


def _described(item: ErrorDetails, file: str, typed: Mapping[str, Any]) -> str:
    loc = [str(part) for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        model = Resources if loc[:-1] == ["resources"] else Specification
        inside = f"{loc[0]}: " if loc[:-1] else ""
        return f"{file}: {inside}{unknown(loc[-1], model.model_fields, 'key')}"
    key = ".".join(loc)
    place = _place(key, file, typed) if key else file
    return field_problem(item, place if place != file or not key else f"{file}: {key}")


def _with_places(found: Specification, given: Given, typed: Mapping[str, Any]) -> Specification:
    """Files that a user's specification names, found from its folder; those of options from the working folder."""
    if given.folder is None:
        return found
    changed = {}
    for key in ("folds", "tuned", "gene_sets"):
        value = getattr(found, key)
        if key not in typed and isinstance(value, str) and value != "all":
            changed[key] = str(given.folder / value)
    return found.model_copy(update=changed)


def _unknown(content: Mapping[str, Any], registry: Registry) -> Iterator[tuple[str, str]]:
    """Keys whose cohort, folds, generators or settings do not exist, and why; the types' check sees ill-typed ones."""
    cohort, folds, names, board = (content.get(key) for key in ("cohort", "folds", "generators", "name"))
    if isinstance(board, str):
        try:
            checked_name(board, "leaderboard")
        except InputError as error:
            yield "name", str(error)
    known = [name for name, _ in list_cohorts()]
    if isinstance(cohort, str) and cohort not in known:
        yield "cohort", f"{unknown(cohort, known, 'cohort')}; build one with `gexbench cohort build`"
    if isinstance(folds, list) and (bad := [index for index in folds if index not in range(PARTS)]):
        yield "folds", f"folds {bad}: every cohort has folds 0 to {PARTS - 1}"
    wanted = names if isinstance(names, list) else []
    for name in map(str, wanted):
        if name not in registry:
            yield "generators", _no_generator(name, registry)
    seeds = content.get("seeds")
    for name in seeds if isinstance(seeds, dict) else ():
        if name != OTHERS and name not in registry and name not in wanted:
            yield f"seeds.{name}", f"seeds of {_no_generator(str(name), registry)}"
    yield from _unknown_settings(content, wanted, registry)


def _unknown_settings(
    content: Mapping[str, Any], wanted: Collection[str], registry: Registry
) -> Iterator[tuple[str, str]]:
    budgets = get_args(BudgetName)
    settings, budget = content.get("settings", {}), content.get("budget", budgets[0])
    for name, values in settings.items() if isinstance(settings, dict) and budget in budgets else ():
        key = f"settings.{name}"
        if name not in registry:
            if name not in wanted:
                yield key, f"settings of {_no_generator(str(name), registry)}"
        elif isinstance(values, dict):
            try:
                planned_settings(registry[name], str(budget), values)
            except BrokenGenerator:
                continue  # the plan skips its cells and says why
            except InputError as error:
                yield from ((key, problem) for problem in error.problems)


def _no_generator(name: str, registry: Registry) -> str:
    """Why a name is no generator's; the code of a file runs because the user typed its path, never unasked."""
    if names_a_file(name):
        return (
            f"generator {name!r} is a file, whose code runs only when it is named on the command line: "
            "leave it out here and give --generators FILE.py:Class, with the names of the others beside it"
        )
    return str(unknown(name, registry, "generator"))
