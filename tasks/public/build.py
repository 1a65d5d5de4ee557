"""The cohort of a folder of public files: find, read, select, align, and state every input."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.notes import as_json
from gexbench.tasks.files.text_files import input_facts
from gexbench.tasks.importing.alignment import BARCODE
from gexbench.tasks.importing.building import Report, Sources, assemble, checked_values
from gexbench.tasks.importing.patch_files import PatchFile, read_patches
from gexbench.tasks.importing.slide_files import stated_encoder
from gexbench.tasks.public.cbioportal import PATIENT, TABLES, is_study, read_study
from gexbench.tasks.public.clinical import hub_names, read_gdc_cases, read_xena_phenotypes
from gexbench.tasks.public.folder import PublicFiles, find
from gexbench.tasks.public.gdc import read_star
from gexbench.tasks.public.picking import PublicExpression
from gexbench.tasks.public.selection import Selection, derive
from gexbench.tasks.public.slides import Encoder, read_slides
from gexbench.tasks.public.xena import read_xena

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PublicSources:
    """A folder of public files and what to make of it.

    Attributes:
        folder: see `folder.find`.
        rules: the cohort's name and the options it shares with any import (labels, missing, site column, text
            encoder); of its files, those that are not None choose among what the folder holds.
        selection: patients, samples, genes and slides.
        encoder: of the slides; missing fields are taken from the files.
    """

    folder: Path
    rules: Sources
    selection: Selection
    encoder: Encoder = field(default_factory=Encoder)


def build_public(sources: PublicSources, report: Report | None = None, say: Say | None = None) -> Cohort:
    """The cohort of a folder of public files. Nothing is written.

    Folds are dealt over the clinical table of the selected patients, as for any import.

    Args:
        sources: the folder and the rules.
        report: called with the stages.
        say: called with a line on everything that was found.

    Raises:
        InputError: nothing or several kinds of a thing in the folder, damaged files, nothing left of them.
    """
    rules, selection = sources.rules, sources.selection
    if is_study(sources.folder):
        return _of_study(sources, report, say)
    found = find(sources.folder, rules.expression, rules.clinical, rules.patches)
    for line in found.said() if say else ():
        say(line)  # type: ignore[misc]
    clinical = _clinical(found, selection)
    expression = _expression(
        found, clinical, selection, report, stated=rules.unit is not None or selection.recipe is None
    )
    unit = Unit(str(expression.table.unit))
    scaled = replace(rules, scale=rules.scale or expression.scale)
    table, problems = checked_values(scaled, unit, expression.table)
    if problems:
        raise InputError(problems)
    clinical = _people(clinical, selection)
    patches = _patches(found, clinical, selection, report, rules.slides_table)
    aligned = replace(
        rules,
        expression=None,
        clinical=None,
        patches=None,
        unit=unit.name,
        labels=hub_names(rules.labels or selection.labels),
        group=BARCODE if selection.samples == "all" else None,
    )
    cohort = assemble(aligned, unit, table, clinical, patches, report)
    if selection.genes.top is not None:
        cohort = top_variance(cohort, selection.genes.top)
    return replace(cohort, provenance=_provenance(sources, cohort, found, expression, report))


def _of_study(sources: PublicSources, report: Report | None, say: Say | None) -> Cohort:
    """The cohort of a study folder of cBioPortal, with a sample per row and its patients as groups."""
    rules, selection = sources.rules, sources.selection
    unfit = [
        option for option, given in (
            ("--recipe", selection.recipe), ("--projects", selection.projects), ("--genes", selection.genes.names),
            ("--clinical", rules.clinical and rules.clinical.name not in TABLES),
        ) if given
    ]  # fmt: skip
    if unfit:
        raise InputError(f"{', '.join(unfit)}: not for a study folder of cBioPortal; leave them out")
    study = read_study(sources.folder, rules.expression, rules.labels or ())
    if say:
        say(f"expression: cBioPortal study, {study.expression.name}; clinical: {len(study.inputs) - 1} tables")
    if rules.unit is None:
        values = "linear" if study.scale else "logarithms or scores"
        raise InputError(
            f"{study.expression.name}: the values look {values}; state the unit: --unit 'log2(rsem+1)' takes the "
            "logarithm of linear values, --unit other keeps them"
        )
    unit = Unit(rules.unit)
    converted = study.scale if unit.offset is not None else None
    table, problems = checked_values(replace(rules, scale=rules.scale or converted), unit, study.expression)
    if problems:
        raise InputError(problems)
    table = replace(table, notes=(*study.notes, *table.notes))
    patches = (
        None if rules.patches is None else read_patches(rules.patches, "error", rules.slide_kinds, rules.slides_table)
    )
    plain = replace(rules, expression=None, clinical=None, patches=None, group=PATIENT)
    cohort = assemble(plain, unit, table, study.clinical, patches, report)
    if selection.genes.top is not None:
        cohort = top_variance(cohort, selection.genes.top)
    facts = {"source": "cbioportal", "selection": selection.rules(), "inputs": list(study.inputs)}
    return replace(cohort, provenance={**cohort.provenance, **facts})


def top_variance(cohort: Cohort, number: int) -> Cohort:
    """The genes with the highest variance over the training rows of fold 0 (random track), in the cohort's order.

    Raises:
        InputError: more genes than there are.
    """
    if number > len(cohort.genes):
        raise InputError(f"--genes top:{number}: the cohort has {len(cohort.genes)} genes")
    train = np.isin(cohort.samples, folds(cohort)[0].train)
    variance = np.concatenate(
        [
            cohort.expression[train, start : start + 256].astype(np.float64).var(axis=0)
            for start in range(0, len(cohort.genes), 256)
        ]
    )
    kept = np.sort(np.argsort(-variance, kind="stable")[:number])
    return replace(
        cohort,
        genes=tuple(cohort.genes[gene] for gene in kept),
        expression=np.ascontiguousarray(cohort.expression[:, kept]),
        counts=None if cohort.counts is None else np.ascontiguousarray(cohort.counts[:, kept]),
    )


def _clinical(found: PublicFiles, selection: Selection) -> pd.DataFrame:
    labels = selection.labels or ()
    read = read_gdc_cases(found.cases) if found.cases else read_xena_phenotypes(found.phenotypes, labels)
    return derive(read, selection.derived)


def _people(clinical: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Clinical rows of the selected patients, over whom the folds are dealt."""
    if selection.patients is not None:
        clinical = clinical[clinical.index.isin(selection.patients)]
    if selection.projects:
        clinical = clinical[clinical["project"].isin(selection.projects)]
    return clinical


def _expression(
    found: PublicFiles, clinical: pd.DataFrame, selection: Selection, report: Report | None, *, stated: bool
) -> PublicExpression:
    if found.star:
        return read_star(found.star, found.file_lists, clinical, selection, report)
    probemap = found.probemaps[0] if found.probemaps else None
    return read_xena(found.matrices, clinical, selection, probemap, report, stated=stated)


def _patches(
    found: PublicFiles, clinical: pd.DataFrame, selection: Selection, report: Report | None, table: Path | None
) -> PatchFile | None:
    if not found.slides:
        return None
    _, paths = found.slides[0]
    progress = partial(report, "read slides") if report else None
    return read_slides(paths, selection, frozenset(clinical.index), progress, table)


def _provenance(
    sources: PublicSources, cohort: Cohort, found: PublicFiles, expression: PublicExpression, report: Report | None
) -> dict[str, Any]:
    """The import's provenance with the rules, the encoder and every input's SHA-256."""
    say = report or (lambda stage, done, total: None)
    inputs = [*expression.inputs, *(input_facts(path, "clinical") for path in (*found.cases, *found.phenotypes))]
    inputs += [input_facts(path, "probe map") for path in found.probemaps if found.matrices]
    slides = [path for _, paths in found.slides for path in paths]
    for done, path in enumerate(slides, start=1):
        inputs.append(input_facts(path, "slides"))
        say("checksums of slides", done, len(slides))
    stated = stated_encoder(slides[0]) if slides else None
    encoder = {
        "name": sources.encoder.name or stated,
        "version": sources.encoder.version,
        "width": None if cohort.patches is None else cohort.patches.width,
    }
    return {
        **cohort.provenance,
        "source": "gdc" if found.star else "xena",
        "selection": sources.selection.rules(),
        "image_encoder": encoder if slides else None,
        "inputs": inputs,
        "dropped": as_json(expression.dropped) + list(cohort.provenance["dropped"]),
    }
