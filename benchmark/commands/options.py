"""Options that several verbs share; those of a specification follow from its fields."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from gexbench.benchmark.sweeps.option import NOT_TYPED, listed
from gexbench.benchmark.sweeps.specification import keys, option_name
from gexbench.tasks.errors import InputError, examples

if TYPE_CHECKING:
    from rich.console import Console
    from typer.models import OptionInfo

Results = Annotated[
    Path,
    typer.Option("--results", help="Results folder: store/ and leaderboards/.", file_okay=False, show_default=True),
]
DEFAULT_RESULTS = Path("gexbench-results")
UNCUT = 10_000


def option(key: str, words: str | None = None, panel: str | None = None) -> "OptionInfo":
    """The option of a specification's key, for `Annotated`; with other words where another verb needs them."""
    field, form = keys()[key]
    made: OptionInfo = typer.Option(
        option_name(key),
        help=words or form.help,
        metavar=form.metavar or ("CHOICE" if get_origin(field.annotation) is Literal else "TEXT"),
        rich_help_panel=panel,
    )
    return made


def specified(*wanted: str, words: Mapping[str, str] | None = None) -> Callable[[Callable[..., None]], Any]:
    """Give a command options of a specification.

    The command gets what was typed of them as `typed`: key → value as a YAML file would hold it, for
    `sweeps.reading.checked`.

    Args:
        wanted: keys; none stands for all. Keys that share an option go together.
        words: key → help, where it is not the field's.
    """
    names = {key: _parameter_name(key) for key in wanted or keys()}

    def decorate(command: Callable[..., None]) -> Any:
        @wraps(command)
        def with_typed(context: typer.Context, **given: Any) -> None:
            texts = {name: given.pop(name) for name in options}
            command(**given, typed=_typed(context, texts, names))

        options: dict[str, inspect.Parameter] = {}
        for key in names:
            panel = None if wanted or "." not in key else "Resources of a cell"
            made = _parameter(key, (words or {}).get(key), panel)
            options.setdefault(made.name, made)
        first = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        signature = inspect.signature(command)
        own = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for each in signature.parameters.values()
            if each.name != "typed"
        ]
        with_typed.__signature__ = signature.replace(parameters=[first, *options.values(), *own])  # type: ignore[attr-defined]
        return with_typed

    return decorate


def _parameter(key: str, words: str | None, panel: str | None) -> inspect.Parameter:
    """A parameter as Typer reads it: numbers by their type, everything else as text."""
    field, form = keys()[key]
    types = {field.annotation, *get_args(field.annotation)}
    kind: Any = str if form.read else next((number for number in (int, float) if number in types), str)
    default = None if form.repeated or "(default:" in (words or form.help) else field.default or None
    return inspect.Parameter(
        _parameter_name(key),
        inspect.Parameter.KEYWORD_ONLY,
        default=default if default is None else kind(default),
        annotation=Annotated[list[str] | None if form.repeated else kind | None, option(key, words, panel)],
    )


def _parameter_name(key: str) -> str:
    return option_name(key).removeprefix("--").replace("-", "_")


def _typed(context: typer.Context, texts: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Key → value of the options that stand on the command line.

    Raises:
        InputError: texts that cannot be read, all at once.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for key, name in names.items():
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        read = keys()[key][1].read
        try:
            value = read(texts[name]) if read else texts[name]
        except InputError as error:
            problems += error.problems
            continue
        if value is not NOT_TYPED:
            found[key] = value
    if problems:
        raise InputError(problems)
    return found


def console() -> "Console":
    """A console as wide as the terminal; in files and pipes lines never wrap, and tables are whole without COLUMNS."""
    from gexbench.benchmark.commands.terminal.console import PlainConsole

    if sys.stdout.isatty():
        return PlainConsole()
    return PlainConsole(width=None if os.environ.get("COLUMNS") else UNCUT, soft_wrap=True)


def leaderboard_folder(results: Path, name: str) -> Path:
    """The folder of a leaderboard: NAME under `results`, or NAME itself when it is a folder with records.

    Raises:
        InputError: when there is none; lists those that exist.
    """
    for folder in (results / "leaderboards" / name, Path(name)):
        if (folder / "records").is_dir():
            return folder
    existing = sorted(path.name for path in (results / "leaderboards").glob("*") if path.is_dir())
    raise InputError(
        f"no leaderboard {name!r} in {results} (there: {examples(existing, 10) or 'none'}); "
        "make one with `gexbench run`"
    )


def chosen(text: str, known: Sequence[str], kind: str) -> tuple[str, ...]:
    """The parts of a comma-separated option, each one of `known` and named once; none where it is not given.

    Raises:
        InputError: parts that are not known, all at once.
    """
    from gexbench.tasks.names import unknown

    parts = tuple(dict.fromkeys(listed(text)))
    problems = [str(unknown(part, known, kind)) for part in parts if part not in known]
    if problems:
        raise InputError(problems)
    return parts


def device(wanted: str, *, here: bool = True) -> str:
    """The device that `--device` names; `auto` is cuda where there is one.

    Args:
        wanted: cpu, cuda or auto.
        here: whether this machine does the work, so that it must have the device.

    Raises:
        InputError: cuda on a machine without a CUDA device, or with a torch that was built without CUDA.
    """
    from gexbench.tasks.errors import InputError

    if wanted == "cpu" or (wanted == "auto" and not Path("/dev/nvidiactl").exists()):
        return "cpu"
    if wanted == "cuda" and not here:
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        built = "finds no CUDA device" if torch.version.cuda else "was built without CUDA"
        raise InputError(f"--device cuda: torch {torch.__version__} {built}; use --device cpu or auto")
    return "cpu"
