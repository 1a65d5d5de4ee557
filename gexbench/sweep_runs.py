"""Running sweeps from Python."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gexbench.benchmark.authoring.local_generators import with_local
from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.report import write_and_show
from gexbench.benchmark.running.preparation import checked_states, prepared
from gexbench.benchmark.running.progress import Display
from gexbench.benchmark.sweeps.reading import DEFAULT_SPECIFICATION, Given, checked, given_specification
from gexbench.leaderboard_frames import load_leaderboard
from gexbench.models import registry
from gexbench.models.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class SweepRun:
    """What a run left.

    Attributes:
        folder: of the leaderboard: tables, records and training logs.
        leaderboard: the main table, see `load_leaderboard`.
        states: number of the cells that this call ran, by state; cells that existed already are not counted.
    """

    folder: Path
    leaderboard: pd.DataFrame
    states: Mapping[str, int]


def run(
    specification: str | Path | Mapping[str, Any] = DEFAULT_SPECIFICATION,
    *,
    results: str | Path = options.DEFAULT_RESULTS,
    reuse: Iterable[str | Path] = (),
    retry: Iterable[str] = (),
    keep_models: bool = False,
    store_cap: float = math.inf,
    replace: bool = False,
    **keys: Any,
) -> SweepRun:
    """Run what is missing of a sweep, write its leaderboard and return it, as `gexbench run` does.

    What exists under the same key is skipped, so the same call resumes after an interrupt.

    Args:
        specification: smoke, default, paper, full, a .yaml file, or a mapping with the keys of such a file.
        results: folder for the store and the leaderboards.
        reuse: folders of leaderboards whose records of cells with the same key are taken as they are.
        retry: only cells whose last attempt ended in one of these states, such as failed or timeout.
        keep_models: keep trained generators in the store.
        store_cap: GB that the store may hold.
        replace: drop records of the leaderboard that are not in this sweep.
        keys: keys of a specification, such as `cohort="mine"`, `generators=["cvae", "my_model.py:MyModel"]` or
            `resources={"threads": 2}`; they count before what the specification says.

    Raises:
        InputError: everything that is wrong with the specification, all at once.
        KeyboardInterrupt: stopped by Ctrl-C after the running cells.
        DiskFull: the results could not be written; what was written whole is kept.
    """
    given, typed, entries = _read(specification, keys)
    wanted = checked(given, _by_option(typed), entries)
    states, root = checked_states(tuple(retry)), Path(results)
    folders = [options.leaderboard_folder(root, str(folder)) for folder in reuse]
    device = options.device(wanted.resources.device, here=wanted.executor == "local")
    runner = prepared(
        given, wanted, entries, root, folders, device, keep_models=keep_models, replace=replace, store_cap=store_cap
    )
    console = options.console()
    summary = runner.run(wanted.workers, Display(console), retry=states)
    if summary.stopped:
        raise KeyboardInterrupt("stopped; the same call resumes where it stopped")
    write_and_show(console, runner.folder, wanted.note)
    return SweepRun(runner.folder, load_leaderboard(runner.folder), summary.states)


def _read(
    specification: str | Path | Mapping[str, Any], keys: Mapping[str, Any]
) -> tuple[Given, dict[str, Any], Registry]:
    """The specification, the keys beside it, and the registry with the generators of files that Python code names."""
    entries, typed = _with_files(registry(), keys)
    if isinstance(specification, str | Path):
        return given_specification(str(specification)), typed, entries
    entries, content = _with_files(entries, specification)
    return Given(content, "specification"), typed, entries


def _with_files(entries: Registry, content: Mapping[str, Any]) -> tuple[Registry, dict[str, Any]]:
    """The content as JSON has it, files among its generators replaced by the names that they get in the registry."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(content), default=str))
    named = plain.get("generators")
    if not isinstance(named, list | dict) or not all(isinstance(name, str) for name in named):
        return entries, plain
    entries, names = with_local(entries, list(named))
    settings = named.values() if isinstance(named, dict) and len(names) == len(named) else None
    plain["generators"] = list(names) if settings is None else dict(zip(names, settings, strict=True))
    return entries, plain


def _by_option(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys as options of the command line set them: one value each of `resources`, settings by generator."""
    found = dict(keys)
    resources, generators = found.pop("resources", None), found.get("generators")
    if isinstance(resources, dict):
        found |= {f"resources.{key}": value for key, value in resources.items()}
    elif resources is not None:
        found["resources"] = resources
    if isinstance(generators, dict):
        found["generators"] = list(generators)
        given = {name: values for name, values in generators.items() if values}
        found["settings"] = {**given, **found.get("settings", {})}
    return found
