"""The built-in simulated cohort: real structure, no real patient, and a known truth.

A patient has a type, a tissue-source site, stage, grade and age; these set the mean of six programmes; programmes
move both image patches and expression, and twelve hidden programmes move expression only. The exact conditional
distribution is in `simulated_oracle`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import TEXT_VARIANTS, Cohort, Ragged
from gexbench.tasks.cohorts.dealing import assign_parts
from gexbench.tasks.cohorts.patches import in_draw_order
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.seeds import derive_seed
from gexbench.tasks.simulated.world import (
    AGE_DECADES,
    GRADES,
    HIDDEN_PROGRAMMES,
    LOOK_WIDTH,
    PATCH_NOISE,
    PROGRAMMES,
    REGION_LOUDNESS,
    REGION_WEIGHTS,
    REGIONS,
    SALT,
    SITE_CODES,
    STAGES,
    TYPES,
    VERSION,
    World,
    simulated_world,
)
from gexbench.tasks.text.clinical_text import clinical_texts
from gexbench.tasks.text.text_encoders import encode

LABEL_COLUMNS = ("project", "primary_site", "disease_type")
FEWEST_REGIONS, MOST_REGIONS = 4, 32
STAGE_MISSING, GRADE_MISSING = 0.10, 0.20
_RACES = ("White", "Black Or African American", "Asian")
_RACE_WEIGHTS = (0.75, 0.15, 0.10)
_SEXES = ("Female", "Male")

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Patients:
    """Codes (n,) of the discrete parents and programmes (n, L)."""

    kind: Codes
    site: Codes
    stage: Codes
    grade: Codes
    age: Codes
    programmes: NDArray[np.float64]


def simulated_cohort(
    patients: int = 1000, genes: int = 300, seed: int = 1, name: str = "simulated", *, text: bool = True
) -> Cohort:
    """The simulated cohort: the same arguments give the same bits.

    Unit log2(rsem+1); labels of 8 types, 5 primary sites, 5 disease types; 4 to 32 patches of width 64 per
    patient; stage missing for 10 % and grade for 20 % of the patients.

    Args:
        patients: at least 100, so that each of the eight types is there.
        genes: at least 1.
        seed: world and patients follow from it.
        name: name of the cohort.
        text: also make the clinical texts and their hashed tokens.

    Raises:
        InputError: too few patients or genes.
    """
    if patients < 100 or genes < 1:
        raise InputError(
            f"simulated cohort of {patients} patients and {genes} genes: at least 100 patients and 1 gene are needed"
        )
    world = simulated_world(seed, genes)
    drawn = _draw_patients(world, patients, _stream(seed, "patients"))
    clinical, patches = _conditions(world, drawn)
    samples = clinical.index.to_numpy(dtype=str)
    return Cohort(
        name=name,
        unit=Unit("log2(rsem+1)"),
        expression=_draw_expression(world, drawn, _stream(seed, "expression")),
        genes=gene_names(genes),
        samples=samples,
        groups=samples.copy(),
        clinical=clinical,
        label_columns=LABEL_COLUMNS,
        patches=patches,
        text=_texts(clinical) if text else {},
        site_column="tss",
        provenance=provenance(patients, genes, seed),
    )


def provenance(patients: int, genes: int, seed: int) -> dict[str, Any]:
    """The facts from which a simulated cohort and its oracle can be made again."""
    return {"kind": "simulated", "version": VERSION, "seed": seed, "patients": patients, "genes": genes}


def gene_names(genes: int) -> tuple[str, ...]:
    """Names of the simulated genes."""
    return tuple(f"GENE{number:04d}" for number in range(1, genes + 1))


def simulated_conditions(patients: int, genes: int, seed: int) -> tuple[pd.DataFrame, Ragged]:
    """Clinical table and patches of the simulated cohort of these arguments; no expression is drawn."""
    world = simulated_world(seed, genes)
    return _conditions(world, _draw_patients(world, patients, _stream(seed, "patients")))


def _conditions(world: World, drawn: _Patients) -> tuple[pd.DataFrame, Ragged]:
    samples = np.asarray([f"SIM-{number:04d}" for number in range(1, len(drawn.kind) + 1)])
    patches = in_draw_order(_draw_patches(world, drawn, _stream(world.seed, "patches")), samples)
    return _clinical(drawn, samples, _stream(world.seed, "clinical")), patches


def _stream(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(cohort=seed, purpose=purpose, salt=SALT))


def _draw_patients(world: World, patients: int, rng: np.random.Generator) -> _Patients:
    kind = _categorical(np.tile(world.type_weights, (patients, 1)), rng)
    site = _categorical(world.site_given_type[kind], rng)
    stage = _categorical(world.stage_given_type[kind], rng)
    grade = _categorical(world.grade_given_type[kind], rng)
    age = _categorical(world.age_given_type[kind], rng)
    noise = rng.normal(size=(patients, len(PROGRAMMES)))
    return _Patients(kind, site, stage, grade, age, world.programme_means[kind, stage, grade, age] + noise)


def _categorical(probabilities: NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """One draw per row of (n, classes), shape (n,)."""
    reached = probabilities.cumsum(1)
    drawn: Codes = (rng.random((len(reached), 1)) * reached[:, -1:] >= reached).sum(1)
    return drawn


def _draw_expression(world: World, drawn: _Patients, rng: np.random.Generator) -> NDArray[np.float32]:
    hidden = rng.normal(size=(len(drawn.kind), HIDDEN_PROGRAMMES))
    noise = rng.normal(size=(len(drawn.kind), world.genes)) * world.noise_sd
    mean = world.type_mean[drawn.kind] + world.site_shift[drawn.kind, drawn.site]
    latent = mean + drawn.programmes @ world.loadings.T + hidden @ world.hidden_loadings.T + noise
    return np.maximum(latent, 0.0).astype(np.float32)


def _draw_patches(world: World, drawn: _Patients, rng: np.random.Generator) -> Ragged:
    counts = rng.integers(FEWEST_REGIONS, MOST_REGIONS + 1, len(drawn.kind))
    owner = np.repeat(np.arange(len(counts)), counts)
    region = rng.choice(len(REGIONS), size=len(owner), p=REGION_WEIGHTS)
    readable = REGION_LOUDNESS * np.eye(len(REGIONS))[region] + rng.uniform(-1, 1, (len(owner), len(REGIONS)))
    shown = np.einsum("rdl,nl->nrd", world.region_loadings, drawn.programmes)[owner, region]
    look = world.region_mean[region] + shown + world.look[drawn.kind, drawn.site][owner]
    look += PATCH_NOISE * rng.normal(size=(len(owner), LOOK_WIDTH))
    offsets = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    return Ragged(np.concatenate([readable, look], axis=1).astype(np.float16), offsets)


def _clinical(drawn: _Patients, samples: NDArray[np.str_], rng: np.random.Generator) -> pd.DataFrame:
    n = len(samples)
    frame = pd.DataFrame([TYPES[kind]._asdict() for kind in drawn.kind], index=pd.Index(samples, name="sample"))
    frame = frame.drop(columns="weight")
    frame["age_diagnosed"] = np.asarray(AGE_DECADES)[drawn.age] + rng.integers(0, 10, n).astype(float)
    frame["gender"] = rng.choice(_SEXES, n)
    frame["race"] = rng.choice(_RACES, n, p=_RACE_WEIGHTS)
    frame["ajcc_stage"] = _masked(STAGES, drawn.stage, rng.random(n) < STAGE_MISSING)
    frame["histological_grade"] = _masked(GRADES, drawn.grade, rng.random(n) < GRADE_MISSING)
    frame["tss"] = np.asarray(SITE_CODES)[drawn.kind, drawn.site]
    series = pd.Series(samples, index=frame.index)
    return frame.join(assign_parts(series, frame["project"], frame["tss"]))


def _masked(names: tuple[str, ...], codes: Codes, missing: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The name of each code; None where missing."""
    shown = np.asarray([*names, None], dtype=object)
    return np.asarray(shown[np.where(missing, len(names), codes)])


def _texts(clinical: pd.DataFrame) -> dict[str, Ragged]:
    return {variant: encode(clinical_texts(clinical, variant)) for variant in TEXT_VARIANTS}
