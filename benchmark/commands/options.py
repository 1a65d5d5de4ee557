"""Options that several verbs share."""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Results = Annotated[
    Path,
    typer.Option("--results", help="Results folder: store/ and leaderboards/.", file_okay=False, show_default=True),
]
GeneSetsOption = Annotated[
    Path | None,
    typer.Option("--gene-sets", help="A .gmt file for the pathway metrics of the panel extended.", dir_okay=False),
]
CohortOption = Annotated[str, typer.Option(help="`simulated`, or a cohort built with `gexbench cohort build`.")]
TrackOption = Annotated[str, typer.Option(help="random, or site (whole tissue-source sites held out).")]
FoldsOption = Annotated[
    str,
    typer.Option(
        help="Comma-separated indices, `all`, or a JSON file of id lists. (default: 0,1,2 at quick, else all)"
    ),
]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda or auto (cuda where there is one).")]
DEFAULT_RESULTS = Path("gexbench-results")
UNCUT = 10_000


def console() -> "Console":
    """A console as wide as the terminal; in files and pipes lines never wrap, and tables are whole without COLUMNS."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console()
    return Console(width=None if os.environ.get("COLUMNS") else UNCUT, soft_wrap=True)


def leaderboard_folder(results: Path, name: str) -> Path:
    """The folder of a leaderboard: NAME under `results`, or NAME itself when it is a folder with records.

    Raises:
        InputError: when there is none; lists those that exist.
    """
    from gexbench.tasks.errors import InputError, examples

    for folder in (results / "leaderboards" / name, Path(name)):
        if (folder / "records").is_dir():
            return folder
    existing = sorted(path.name for path in (results / "leaderboards").glob("*") if path.is_dir())
    raise InputError(
        f"no leaderboard {name!r} in {results} (there: {examples(existing, 10) or 'none'}); "
        "make one with `gexbench run`"
    )


def listed(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated option.

    Raises:
        InputError: a text that names nothing.
    """
    from gexbench.tasks.errors import InputError

    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if text and not parts:
        raise InputError(f"{text!r}: names nothing; give names or numbers, comma-separated")
    return parts


def chosen(text: str, known: Sequence[str], kind: str) -> tuple[str, ...]:
    """The parts of a comma-separated option, each one of `known` and named once; none where it is not given.

    Raises:
        InputError: parts that are not known, all at once.
    """
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.names import unknown

    parts = tuple(dict.fromkeys(listed(text)))
    problems = [str(unknown(part, known, kind)) for part in parts if part not in known]
    if problems:
        raise InputError(problems)
    return parts


def shares(text: str) -> tuple[float, ...]:
    """The shares of a comma-separated option, without repeats.

    Raises:
        InputError: parts that are no number between 0 and 1, all at once.
    """
    from gexbench.tasks.errors import InputError

    found: list[float] = []
    problems = []
    for part in listed(text):
        try:
            share = float(part)
        except ValueError:
            share = 0.0
        found.append(share)
        if not 0.0 < share < 1.0:
            problems.append(f"--train-fractions {part!r}: give shares above 0 and below 1, for example 0.1,0.25")
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(found))


def folds_file(folds: str) -> Path | None:
    """The file that `--folds` names, or None when it names indices or `all`."""
    indices = folds in {"", "all"} or all(part.isascii() and part.isdigit() for part in listed(folds))
    return None if indices else Path(folds)


def fold_indices(folds: str, budget: str) -> tuple[int, ...]:
    """Indices that `--folds` names; without it the first three at budget quick, else all.

    Raises:
        InputError: a file that cannot be read.
    """
    from gexbench.tasks.cohorts.folds import PARTS

    path = folds_file(folds)
    if path is not None:
        from gexbench.tasks.errors import InputError

        try:
            return tuple(range(len(json.loads(path.read_text()))))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"--folds {path}: neither indices, `all`, nor a readable JSON file ({error})") from None
    if folds in {"", "all"}:
        return (0, 1, 2) if budget == "quick" and not folds else tuple(range(PARTS))
    return tuple(dict.fromkeys(int(part) for part in listed(folds)))


def given_folds(folds: str) -> list[int] | str | None:
    """What `--folds` says in the form of a specification: indices, `all`, or the name of a file."""
    if folds_file(folds) is not None or folds == "all":
        return folds
    return [int(part) for part in listed(folds)] or None


def device(wanted: str) -> str:
    """The device that `--device` names; `auto` is cuda where there is one."""
    if wanted != "auto":
        return wanted
    if not Path("/dev/nvidiactl").exists():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def parse_settings(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`generator.setting=value` options as a mapping; values are read as JSON, else as text.

    Raises:
        InputError: options of another form, all at once.
    """
    from gexbench.tasks.errors import InputError

    found: dict[str, dict[str, Any]] = {}
    problems = []
    for pair in pairs:
        place, equals, value = pair.partition("=")
        generator, dot, setting = place.partition(".")
        if not (equals and dot and setting):
            problems.append(
                f"--settings {pair!r}: write it as GENERATOR.SETTING=VALUE, for example gemm-gan.batch=32, "
                "or as tuned or tuned:FILE"
            )
            continue
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        if isinstance(parsed, float) and not math.isfinite(parsed):
            problems.append(f"--settings {pair!r}: {value} is not a finite number")
        found.setdefault(generator, {})[setting] = parsed
    if problems:
        raise InputError(problems)
    return found
