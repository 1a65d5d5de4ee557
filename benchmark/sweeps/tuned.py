"""Tuning files: settings found per generator and fold, and how a sweep takes them; imports no torch and no optuna."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from gexbench.benchmark.sweeps.design import Strict
from gexbench.leaderboards.records.parts import ObjectiveName, Tuning
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import checksum, read_regular


class Trial(Strict):
    """One trial: its settings, its validation score (None when pruned or failed) and why it failed."""

    state: Literal["complete", "pruned", "failed"]
    settings: Mapping[str, Any]
    validation_score: float | None
    reason: str | None = None


class FoldTuning(Tuning):
    """A fold in a tuning file.

    Attributes:
        track, index: the fold's place, for readers; its key is the hash of its ids.
        seed: of every trial's training.
        search: the trials in their order.
    """

    track: str
    index: int
    seed: int
    search: tuple[Trial, ...]

    def found(self) -> Tuning:
        """What a sweep takes of it."""
        return Tuning(**{name: getattr(self, name) for name in Tuning.model_fields})


class GeneratorTuning(Strict):
    """A generator in a tuning file: its version and, by fold hash, what was found."""

    version: str
    folds: Mapping[str, FoldTuning]


class TuningFile(Strict):
    """A whole tuning file.

    Attributes:
        cohort, fingerprint: the cohort that was tuned on.
        budget, threads, device: of every trial.
        optuna: its version.
        generators: by registry key.
    """

    format: Literal[1] = 1
    cohort: str
    fingerprint: str
    budget: str
    threads: int
    device: str
    optuna: str
    generators: Mapping[str, GeneratorTuning]


class TunedSettings(Strict):
    """Tuned settings in the specification of a sweep.

    Attributes:
        sha256: of the tuning file's content.
        generators: registry key → fold hash → what was found.
    """

    sha256: str
    generators: Mapping[str, Mapping[str, Tuning]]


def objective_name(text: str) -> ObjectiveName:
    """The objective that `--objective` names.

    Raises:
        InputError: it names none.
    """
    known = {name.replace(" ", "-"): name for name in get_args(ObjectiveName)}
    if text not in known:
        raise InputError(f"--objective {text!r}: give {' or '.join(known)}")
    found: ObjectiveName = known[text]
    return found


def tuning_file(results: Path, name: str) -> Path:
    """Where `gexbench tune` leaves the settings of a cohort and budget."""
    return results / "tuning" / f"{name}.json"


def read_tuning_file(path: Path) -> TuningFile:
    """The content of a tuning file.

    Raises:
        InputError: none there, damaged, or of another format.
    """
    try:
        return TuningFile.model_validate_json(read_regular(path))
    except FileNotFoundError:
        raise InputError(f"no tuned settings in {path}; make them with `gexbench tune`, or name a file") from None
    except (OSError, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"{path.name}: is no tuning file ({reason}); delete it, then `gexbench tune` writes it from its trials"
        ) from None


def tuned_settings(
    path: Path,
    *,
    generators: Mapping[str, str],
    cohort: str,
    fingerprint: str,
    budget: str,
    folds: Iterable[Fold],
) -> TunedSettings:
    """The settings that a sweep takes from a tuning file.

    Args:
        generators: registry key → version of every generator of the sweep.
        cohort, fingerprint, budget, folds: of the sweep.

    Raises:
        InputError: another cohort or budget; a generator's other version; folds without settings; no generator of
            the sweep; all at once.
    """
    held = read_tuning_file(path)
    problems = [
        f"{path.name}: tuned on {what} {theirs}, this sweep is on {ours}"
        for what, theirs, ours in (
            ("cohort", held.cohort, cohort),
            ("the data", held.fingerprint[:12], fingerprint[:12]),
            ("budget", held.budget, budget),
        )
        if theirs != ours
    ]
    shared = [name for name in generators if name in held.generators]
    if not shared:
        problems.append(f"{path.name}: holds no generator of this sweep, only {', '.join(held.generators) or 'none'}")
    taken: dict[str, dict[str, Tuning]] = {}
    wanted = list(folds)
    for name in shared if not problems else ():
        tuned = held.generators[name]
        again = f"run `gexbench tune {name} --cohort {cohort} --budget {budget}"
        if tuned.version != generators[name]:
            problems.append(
                f"{path.name}: {name} was tuned in version {tuned.version}, here is {generators[name]}; {again}`"
            )
            continue
        missing = [fold for fold in wanted if fold.hash() not in tuned.folds]
        if missing:
            listed = ",".join(str(fold.index) for fold in missing)
            track = "" if missing[0].track == "random" else f" --track {missing[0].track}"
            problems.append(f"{path.name}: no settings of {name} for fold {listed}; {again}{track} --folds {listed}`")
            continue
        taken[name] = {fold.hash(): tuned.folds[fold.hash()].found() for fold in wanted}
    if problems:
        raise InputError(problems)
    return TunedSettings(sha256=checksum(path), generators=taken)


def to_json(content: TuningFile) -> str:
    """The text of a tuning file."""
    return json.dumps(content.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"
