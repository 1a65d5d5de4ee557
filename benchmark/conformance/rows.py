"""Checks of what a generator returns: rows, seeds, conditions, saving."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from gexbench.benchmark.cells.training import BadSamples, checked_samples
from gexbench.benchmark.conformance.check import Broken, Skipped
from gexbench.benchmark.conformance.subject import SEED, Subject
from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Diverged, Generator
from gexbench.models.registry import Condition, Registry
from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor


def rows(subject: Subject) -> None:
    """Type, shape, genes, ids, finite numbers, the unit's floor; for test and training patients, one draw and three."""
    floor = subject.data.train.cohort.unit.floor
    for conditions, draws in ((subject.conditions, 1), (subject.data.train.conditions, 1), (subject.conditions, 3)):
        samples = subject.fitted.sample(conditions, draws, seed=SEED + 1)
        try:
            genes, name = subject.data.train.genes, subject.entry.name
            checked_samples(samples, conditions, draws, genes, name, floor=floor)
        except (BadSamples, Diverged) as error:
            what, _, fix = str(error).partition("; ")
            raise Broken(what, fix or "look for a division by 0 or a log of 0 in `sample`") from None


def no_conditions(subject: Subject) -> None:
    """No conditions, no rows."""
    none, genes = subject.conditions.take([]), len(subject.data.train.genes)
    shape = subject.fitted.sample(none, 2, seed=SEED).expression.shape
    if shape != (0, genes):
        raise Broken(f"empty conditions gave rows of shape {shape}", f"return rows of shape (0, {genes})")


def draws(subject: Subject) -> None:
    """Draws of a patient differ and are adjacent, as their ids show."""
    samples = subject.fitted.sample(subject.conditions, 3, seed=SEED + 1)
    drawn = samples.expression.reshape(len(subject.conditions), 3, -1)
    differ = (drawn[:, :-1] != drawn[:, 1:]).any(axis=2).mean() > 0.5  # resampling meets a row twice now and then
    if subject.cls.deterministic:
        if not np.array_equal(drawn[:, 0], drawn[:, 2]):
            raise Broken("its draws differ although it is declared `deterministic`", "remove `deterministic = True`")
        return
    if not differ:
        raise Broken(
            "all draws of a patient are the same row",
            "draw new noise for every row: repeat the conditions first (`repeat_interleave(draws)`), then draw",
        )


def seeds(subject: Subject) -> None:
    """Same seeds, same bits: of the same model again, and of a model fitted again; another seed, other rows."""
    first = _sampled(subject.fitted, subject, SEED)
    if not np.array_equal(first, _sampled(subject.fitted, subject, SEED)):
        raise Broken(
            "the same model and seed gave different rows the second time",
            "make a new `torch.Generator().manual_seed(seed)` in every `sample`, and do not modify the model there",
        )
    if not np.array_equal(first, subject.observation.samples.expression):
        raise Broken(
            "two fits with the same seed gave models that sample different rows",
            "draw weights, batches and dropout from `torch.Generator`s seeded with `seed`; sort sets before using them",
        )
    if np.array_equal(first, _sampled(subject.fitted, subject, SEED + 1)) != subject.cls.deterministic:
        raise Broken(
            "another seed of `sample` gave the same rows"
            if not subject.cls.deterministic
            else "another seed gave different rows although it is declared `deterministic`",
            "draw the noise of `sample` from its `seed`; set `deterministic = True` only where there is no noise",
        )


def training_seed(subject: Subject) -> None:
    """Another seed of the fit gives another model, if the fit is random."""
    if np.array_equal(_sampled(subject.fitted, subject, SEED), _sampled(subject.fit(seed=SEED + 1), subject, SEED)):
        raise Skipped("its fit is not random: another seed gives the same model")


def conditions(subject: Subject) -> None:
    """Rows change when a declared kind of condition does, and do not when another kind does."""
    declared = subject.entry.conditions
    used = subject.cls.conditions_used(subject.fitted.settings)
    if used != {*declared}:
        raise Broken(
            f"its entry declares {_listed(declared)}, `conditions_used` says {_listed(used)}",
            "make them agree: set `needs`, or override `conditions_used`",
        )
    first = _sampled(subject.fitted, subject, SEED)
    for kind in get_args(Condition):
        other = with_other(subject.conditions, kind, subject.entry.reads == "ids")
        changed = _sampled(subject.fitted, subject, SEED, other)
        reacts = not np.array_equal(first, changed)
        if reacts and kind not in declared:
            raise Broken(
                f"rows depend on the patients' {kind}, which it does not declare (declared: {_listed(declared)})",
                f"add {kind!r} to `needs`, or do not read {kind} in `sample`",
            )
        if not reacts and kind in declared:
            raise Broken(
                f"declares {kind}, but rows stay the same when the patients' {kind} change",
                f"read {kind} from the conditions given to `sample`, not from the fit; or remove it from `needs`",
            )


def saving(subject: Subject) -> None:
    """A saved and loaded generator samples the same bits; two files, no pickle."""
    if not subject.cls.can_be_saved:
        raise Skipped("it declares that it cannot be saved: `gexbench sample` is not for it")
    known = Registry((subject.entry,))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            save(subject.fitted, subject.entry.name, folder)
        except (TypeError, ValueError, AttributeError) as error:
            raise Broken(
                f"its state cannot be saved ({type(error).__name__}: {error})",
                "return ({name: tensor}, {name: number, text, list or dict}) from `state`, without NaN or infinity",
            ) from None
        loaded = load(folder, known, subject.conditions.device)
    if loaded.settings != subject.fitted.settings:
        raise Broken(
            "a loaded generator has different settings", "keep settings in `Settings`, typed and JSON-serialisable"
        )
    first, second = (each.sample(subject.conditions, 2, seed=SEED) for each in (subject.fitted, loaded))
    if not np.array_equal(first.expression, second.expression) or first.genes != second.genes:
        raise Broken(
            "a loaded generator samples different rows",
            "put everything that `sample` reads into `state`, in full precision, and read it back in `restore`",
        )


def settings(subject: Subject) -> None:
    """Settings refuse unknown names and survive JSON."""
    cls = subject.cls.Settings
    if subject.entry.settings_class() is not cls:
        raise Broken("its entry names another settings class", "let `settings_target` name the class's own `Settings`")
    if cls.model_config.get("extra") != "forbid":
        raise Broken("its settings accept unknown names", 'keep `extra="forbid"` of GeneratorSettings')
    made = subject.fitted.settings
    again = cls.model_validate_json(json.dumps(made.model_dump(mode="json")))
    if again != made:
        raise Broken("its settings differ after JSON", "use types that JSON keeps: numbers, text, lists, dicts")


def _sampled(
    generator: Generator, subject: Subject, seed: int, conditions: Conditions | None = None
) -> np.typing.NDArray[np.float32]:
    return generator.sample(conditions or subject.conditions, 2, seed=seed).expression


def _listed(kinds: tuple[str, ...] | frozenset[str]) -> str:
    return ", ".join(sorted(kinds)) or "none"


def with_other(conditions: Conditions, kind: str, ids: bool = False) -> Conditions:
    """The same patients with one kind of condition of other patients; with `ids`, their ids too."""
    moved = np.roll(np.arange(len(conditions)), len(conditions) // 2 + 1)
    places = torch.as_tensor(moved, device=conditions.device)
    changed = replace(conditions, ids=conditions.ids[moved]) if ids else conditions
    if kind == "labels":
        return replace(changed, labels=conditions.labels[places])
    of, to = conditions.rows[places], conditions.rows
    if kind == "text":
        return replace(changed, text={name: _moved(text, of, to) for name, text in conditions.text.items()})
    return replace(changed, patches=None if conditions.patches is None else _moved(conditions.patches, of, to))


def _moved(ragged: RaggedTensor, of: Tensor, to: Tensor) -> RaggedTensor:
    """The rows of patients `of` at the places of patients `to`."""
    source = torch.arange(len(ragged), device=of.device)
    source[to] = of
    return replace(ragged, starts=ragged.starts[source], counts=ragged.counts[source])
