"""The page of the generators' speed, from the JSON files of the benchmarks in ``tests/benchmarks``.

Measurements are kept in ``generator-speed.json`` beside the page: those of a new file replace the same ones of before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.studies.speed.generators_page import speed_page
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

NAME = "generator-speed"
KINDS = ("training", "way", "sampling", "sampling steps", "step")
BENCHMARKS = "python -m pytest tests/benchmarks -o addopts=--import-mode=importlib --benchmark-only"
EXAMPLES = ("speed.json --out docs/reference/generator-speed", "--out docs/reference/generator-speed")
_REMEDY = f"make it with `{BENCHMARKS} --benchmark-json=speed.json`"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one benchmark found.

    Attributes:
        kind: of `KINDS`; generator, device: what was measured, and where.
        variant: tells apart the measurements of one kind and generator; empty where there is one.
        figures: name with its unit → value.
    """

    kind: str
    generator: str
    device: str
    variant: str
    figures: Mapping[str, float]

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What a newer measurement replaces."""
        return self.kind, self.generator, self.device, self.variant


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of one machine: processor, cores, memory_gib, torch version."""

    machine: Mapping[str, Any]
    measurements: tuple[Measurement, ...]


def read_benchmarks(path: Path) -> Measured:
    """The generators' measurements in a JSON file of pytest-benchmark; other benchmarks are passed over.

    Raises:
        InputError: no such file, or none with such measurements.
    """
    content = _read(path)
    try:
        info = content["machine_info"]
        hardware = info["hardware"]
        machine = {"processor": hardware["processor"], "cores": hardware["cores"], "torch": info["torch"]}
        machine["memory_gib"] = round(hardware["memory_bytes"] / 2**30)
        extras = [each["extra_info"] for each in content["benchmarks"]]
        found = tuple(_measurement(extra) for extra in extras if extra.get("kind") in KINDS)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no result of tests/benchmarks ({error!r} is missing); {_REMEDY}") from None
    if not found:
        raise InputError(f"{path}: holds no measurement of a generator; {_REMEDY}")
    return Measured(machine, found)


def _measurement(extra: Mapping[str, Any]) -> Measurement:
    variant = extra.get("way") or extra.get("shape") or ""
    if extra["kind"] == "sampling steps":
        variant = str(extra["figures"]["sampling_steps"])
    figures = {name: float(f"{value:.6g}") for name, value in extra["figures"].items()}
    return Measurement(extra["kind"], extra["generator"], extra["device"], variant, figures)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {_REMEDY}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no JSON file ({error}); {_REMEDY}") from None


def read_kept(path: Path) -> Measured | None:
    """What `write_kept` wrote; None where there is nothing yet.

    Raises:
        InputError: another kind of file.
    """
    if not path.exists():
        return None
    content = _read(path)
    try:
        return Measured(content["machine"], tuple(Measurement(**each) for each in content["measurements"]))
    except (KeyError, TypeError):
        raise InputError(f"{path}: holds no kept measurements; delete it or give another --out") from None


def merged(kept: Measured | None, new: Measured) -> Measured:
    """Both, newer ones in place of older ones, in the order of `KINDS` and of their first appearance.

    Raises:
        InputError: from another machine or torch.
    """
    if kept is None:
        return new
    if dict(kept.machine) != dict(new.machine):
        raise InputError(
            f"measured on {dict(new.machine)}, kept are those of {dict(kept.machine)}; give another --out, or delete "
            f"{NAME}.json there"
        )
    together = {each.place: each for each in (*kept.measurements, *new.measurements)}
    ordered = sorted(together.values(), key=lambda each: KINDS.index(each.kind))
    return Measured(new.machine, tuple(ordered))


def write_kept(path: Path, measured: Measured) -> None:
    """One measurement a line, so that a change can be read."""
    lines = ",\n".join("  " + json.dumps(asdict(each)) for each in measured.measurements)
    machine = json.dumps(dict(measured.machine))
    write_text(path, f'{{\n "machine": {machine},\n "measurements": [\n{lines}\n ]\n}}\n')


def write_page(files: Sequence[Path], out: Path) -> Path:
    """Take in the files, keep their measurements in `out`, and write the page there; its path.

    Raises:
        InputError: see `read_benchmarks`, `merged`; nothing to show.
    """
    kept = read_kept(out / f"{NAME}.json")
    for file in files:
        kept = merged(kept, read_benchmarks(file))
    if kept is None:
        raise InputError(f"{out}: no measurements there; name a file of benchmarks, see --help")
    out.mkdir(parents=True, exist_ok=True)
    write_kept(out / f"{NAME}.json", kept)
    write_text(out / f"{NAME}.md", speed_page(kept.machine, [asdict(each) for each in kept.measurements]))
    return out / f"{NAME}.md"


def main(
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"JSON files of `{BENCHMARKS} --benchmark-json=FILE`; none: page anew.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the page and of what is kept.", file_okay=False)] = Path(NAME),
) -> None:
    """Make the page of the generators' speed from the JSON files of the benchmarks."""
    print(f"result: {write_page(files or (), out)}")
