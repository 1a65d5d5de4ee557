"""Specifications of sweeps: strict YAML files, ready-made ones, and the command line's changes to them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gexbench.benchmark.sweeps.seed_counts import Seeds, merged_seeds
from gexbench.benchmark.sweeps.specification_names import unknown_things
from gexbench.benchmark.sweeps.specification_text import parsed
from gexbench.benchmark.sweeps.sweep import is_share
from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown

DEFAULT_SPECIFICATION = "default"
"""What `gexbench run` runs when none is named."""

_NO_FILES = frozenset({"", "yes", "no", "on", "off"})
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _folds(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("give a list of indices such as [0, 1, 2], all, or the name of a JSON file of id lists")


def _generators(value: Any) -> Any:
    if value == "all":
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("give all, a list of names, or names with their settings: {gemm-gan: {batch: 32}, cvae: {}}")


def _shares(value: Any) -> Any:
    """Strict models take lists for tuples only straight from JSON, which `_apart` has parsed already."""
    if isinstance(value, list) and all(type(share) is float and is_share(share) for share in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("give a list of shares above 0 and below 1, of at most six digits, such as [0.1, 0.25]")


def _tuned(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() not in _NO_FILES):
        return value
    raise ValueError("give true, false or the name of a file that `gexbench tune` wrote")


class Resources(BaseModel):
    """What one cell may use.

    Attributes:
        threads: of its numerical libraries; part of the key; at most 1024.
        memory_gb: resident memory of its processes, in 10^9 bytes, above which it is killed; None gives every
            worker an equal share of 90 % of the machine's.
        time_limit_s: wall-clock seconds after which a job is killed.
        device: where generators are trained; auto is cuda where there is one.
        gpu_memory_gb: as in `Sweep`; on one machine.
        gpus: that a cell takes of a cluster's node on the device cuda, or a share of one.
        patches: as in `Sweep`.
    """

    model_config = _STRICT

    threads: int = Field(default=1, ge=1, le=1024)
    memory_gb: float | None = Field(default=None, gt=0)
    time_limit_s: float = Field(default=3600.0, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus: float = Field(default=1.0, gt=0)
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    patches: Literal["auto", "held", "streamed"] = "auto"


class Specification(BaseModel):
    """A sweep as its author writes it; `Sweep` is what it becomes on a machine. Strict, every key is optional.

    Attributes:
        name: of the leaderboard; None makes it from the cohort, the budget and the specification's own name.
        note: a sentence for the leaderboard's header.
        cohort, track, train_fractions, budget, panel: as in `Sweep`.
        folds: indices, `all`, or a JSON file of id lists; None is the first three at budget quick, else all.
        seeds: training seeds per fold; or generator → seeds, with those of all others under `default` (1).
        generators: `all` or registry keys. A mapping of keys to settings is taken apart into this and `settings`.
        settings: generator → settings that differ from the budget's.
        tuned: whether generators get a row with the settings that `gexbench tune` found, or the file of these.
        gene_sets: file of the pathway metrics' sets.
        resources: of one cell.
        workers: cells side by side.
        executor: `local` runs cells on this machine, `ray` on a Ray cluster.
        address: HOST:PORT of the cluster's head; None finds the one that this machine is part of, or starts one here.
    """

    model_config = _STRICT

    name: str | None = None
    note: str | None = None
    cohort: str = "simulated"
    track: Literal["random", "site"] = "random"
    folds: Annotated[tuple[int, ...] | str | None, PlainValidator(_folds)] = None
    seeds: Seeds = 1
    generators: Annotated[tuple[str, ...] | Literal["all"], PlainValidator(_generators)] = "all"
    settings: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    tuned: Annotated[bool | str, PlainValidator(_tuned)] = False
    train_fractions: Annotated[tuple[float, ...], PlainValidator(_shares)] = ()
    budget: Literal["quick", "cpu", "full"] = "quick"
    panel: Literal["core", "extended"] = "core"
    gene_sets: str | None = None
    resources: Resources = Field(default_factory=Resources)
    workers: int = Field(default=2, ge=1)
    executor: Literal["local", "ray"] = "local"
    address: str | None = None

    @model_validator(mode="after")
    def _addressed(self) -> "Specification":
        if self.address is not None and self.executor != "ray":
            raise ValueError(f"address = {self.address!r} is that of a Ray cluster; add executor: ray (--executor ray)")
        return self

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, content: Any) -> Any:
        return _settings_apart(content) if isinstance(content, dict) else content


def _settings_apart(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with a mapping of generators taken apart into names and settings."""
    generators, settings = content.get("generators"), content.get("settings", {})
    if not isinstance(generators, dict) or not isinstance(settings, dict):
        return dict(content)
    given = {name: values for name, values in generators.items() if values}
    twice = [name for name in given if name in settings]
    if twice:
        raise ValueError(f"settings of {', '.join(twice)} stand under generators and under settings; keep one of them")
    return {**content, "generators": list(generators), "settings": {**settings, **given}}


@dataclass(frozen=True, slots=True)
class Given:
    """A specification before it is checked.

    Attributes:
        content: of the file.
        place: the file's name, for messages; name: what it is called.
        folder: of a user's file, against which the files that it names are resolved; None for a ready-made one.
    """

    content: Mapping[str, Any]
    place: str
    name: str
    folder: Path | None = field(default=None)


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
        return Given(parsed(text, named), f"specification {named}", named)
    path = Path(named)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        raise InputError(f"{unknown(named, ready_made(), 'specification')}, or name a .yaml file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(
            f"{named}: cannot be read ({reason}); name a .yaml file or {', '.join(ready_made())}"
        ) from None
    return Given(parsed(text, path.name), path.name, path.stem, path.parent)


def checked(given: Given, options: Mapping[str, Any], registry: Registry) -> Specification:
    """The specification with the command line's options in the place of its own values.

    Args:
        given: what was read.
        options: key (`budget`, `resources.threads`) → value; `settings` are merged setting by setting, `seeds` by
            generator unless the option says what all have, and what belongs to generators that an option leaves out
            is dropped.
        registry: the generators that there are.

    Raises:
        InputError: every unknown key, ill-typed value, unknown cohort, fold, generator and setting, all at once.
    """
    problems: list[str] = []
    try:
        content = _merged(given.content, options)
        found = Specification.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        problems += [_described(item, given.place, options) for item in error.errors()]
    except ValueError as error:
        raise InputError(f"{given.place}: {error}") from None
    problems += [f"{given.place}: {problem}" for problem in unknown_things(content, registry)]
    if problems:
        raise InputError(problems)
    return _with_places(found, given, options)


def _merged(content: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    merged = _settings_apart(content)
    settings, named = merged.get("settings", {}), options.get("generators", "all")
    if named != "all" and isinstance(settings, dict):
        merged["settings"] = {name: values for name, values in settings.items() if name in named}
    if "seeds" in {*merged, *options}:
        merged["seeds"] = merged_seeds(merged.get("seeds", 1), options.get("seeds"), None if named == "all" else named)
    for key, value in options.items():
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


def _described(item: ErrorDetails, place: str, options: Mapping[str, Any]) -> str:
    loc = [str(part) for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        model = Resources if loc[:-1] == ["resources"] else Specification
        inside = f" in {loc[0]}" if loc[:-1] else ""
        return f"{place}: {unknown(loc[-1], model.model_fields, 'key')}{inside}"
    key = ".".join(loc)
    option = next((name for name in options if key == name or key.startswith(f"{name}.")), None)
    where = place if option is None else f"--{option.rpartition('.')[2].removesuffix('_s').replace('_', '-')}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {key} = {item['input']!r}: {message}" if key else f"{where}: {message}"


def _with_places(found: Specification, given: Given, options: Mapping[str, Any]) -> Specification:
    """Files that a user's specification names, found from its folder; those of options from the working folder."""
    if given.folder is None:
        return found
    changed = {}
    for key in ("folds", "tuned", "gene_sets"):
        value = getattr(found, key)
        if key not in options and isinstance(value, str) and value != "all":
            changed[key] = str(given.folder / value)
    return found.model_copy(update=changed)


def own_name(given: Given) -> str | None:
    """What a specification adds to the name of its leaderboard: its own, nothing for the default one.

    Raises:
        InputError: a file whose name is no leaderboard's.
    """
    if given.name == DEFAULT_SPECIFICATION and given.folder is None:
        return None
    try:
        return checked_name(given.name, "leaderboard")
    except InputError as error:
        raise InputError(f"{given.place}: {error}; or give a `name` in the file") from None
