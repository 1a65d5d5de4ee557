"""Parameters of the simulated world: they follow from the seed and the number of genes alone.

Everything discrete (type, site, stage, grade, age) is finite and everything continuous (programmes, patches,
expression) is Gaussian given it, so that p(expression | any subset of conditions) is a finite mixture.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.seeds import derive_seed

Array = NDArray[np.float64]

VERSION = 1
"""Raised whenever the same seed gives another world or other patients."""

SALT = 0
"""Chosen so that seed 1 lands on the cohort's check values: text adds .2 to the within-type correlation, patches .5."""

PROGRAMMES = ("purity", "immune", "proliferation", "stroma", "hypoxia", "differentiation")
HIDDEN_PROGRAMMES = 12
REGIONS = ("tumour", "immune", "stroma", "background")
REGION_WEIGHTS = (0.45, 0.2, 0.2, 0.15)
REGION_LOUDNESS = 4.0
PATCH_NOISE = 6.0
PATCH_WIDTH = 64
LOOK_WIDTH = PATCH_WIDTH - len(REGIONS)
SITES_PER_TYPE = 6
STAGES = ("Stage I", "Stage II", "Stage III", "Stage IV")
GRADES = ("G1", "G2", "G3")
AGE_DECADES = (40, 50, 60, 70, 80)


class TumourType(NamedTuple):
    """One simulated type: its names in the label columns and the clinical text, and its share of patients."""

    project: str
    disease_name: str
    primary_site: str
    disease_type: str
    weight: float


_ADENO = "Adenomas and Adenocarcinomas"
TYPES = (
    TumourType("SIM-LUAD", "simulated lung adenocarcinoma", "Bronchus and lung", _ADENO, 0.28),
    TumourType(
        "SIM-LUSC", "simulated lung squamous cell carcinoma", "Bronchus and lung", "Squamous Cell Neoplasms", 0.18
    ),
    TumourType("SIM-KIRC", "simulated kidney clear cell carcinoma", "Kidney", _ADENO, 0.14),
    TumourType("SIM-KIRP", "simulated kidney papillary cell carcinoma", "Kidney", _ADENO, 0.12),
    TumourType("SIM-BRCA", "simulated breast invasive carcinoma", "Breast", "Ductal and Lobular Neoplasms", 0.10),
    TumourType(
        "SIM-BLCA",
        "simulated bladder urothelial carcinoma",
        "Bladder",
        "Transitional Cell Papillomas and Carcinomas",
        0.08,
    ),
    TumourType("SIM-LGG", "simulated brain lower grade glioma", "Brain", "Gliomas", 0.06),
    TumourType("SIM-GBM", "simulated glioblastoma multiforme", "Brain", "Gliomas", 0.04),
)
SITE_CODES = tuple(
    tuple(f"{'ABCDEHJK'[kind]}{site + 1}" for site in range(SITES_PER_TYPE)) for kind in range(len(TYPES))
)
"""Tissue-source sites, nested in the type; no code reads like a grade."""


@dataclass(frozen=True)
class World:
    """All parameters; t type, q site of the type, g gene, r region class.

    Attributes:
        seed, genes: what the rest follows from.
        site_given_type: (t, q) P(q | t).
        stage_given_type, grade_given_type, age_given_type: (t, level) probabilities.
        type_programmes: (t, L) mean programmes of a type.
        stage_effect, grade_effect, age_effect: (L,) effect on the programmes per unit of the level, −1 to 1.
        type_mean: (t, g) baseline plus primary-site effect plus type markers.
        site_shift: (t, q, g) effect of the tissue-source site on expression.
        loadings: (g, L) programmes → expression.
        hidden_loadings: (g, K) hidden programmes → expression.
        noise_sd: (g,).
        region_mean: (r, 60) mean look of a region class.
        region_loadings: (r, 60, L) programmes → look.
        look: (t, q, 60) look of the type plus signature of the site.
    """

    seed: int
    genes: int
    site_given_type: Array
    stage_given_type: Array
    grade_given_type: Array
    age_given_type: Array
    type_programmes: Array
    stage_effect: Array
    grade_effect: Array
    age_effect: Array
    type_mean: Array
    site_shift: Array
    loadings: Array
    hidden_loadings: Array
    noise_sd: Array
    region_mean: Array
    region_loadings: Array
    look: Array

    @cached_property
    def type_weights(self) -> Array:
        """(t,) P(t)."""
        return np.asarray([kind.weight for kind in TYPES])

    @cached_property
    def programme_means(self) -> Array:
        """(t, stage, grade, age, L) mean programmes."""
        stage, grade, age = (levels(len(names)) for names in (STAGES, GRADES, AGE_DECADES))
        return np.asarray(
            self.type_programmes[:, None, None, None]
            + stage[:, None, None, None] * self.stage_effect
            + grade[:, None, None] * self.grade_effect
            + age[:, None] * self.age_effect
        )


def levels(count: int) -> Array:
    """`count` ordered levels, evenly from −1 to 1."""
    return np.linspace(-1.0, 1.0, count)


def simulated_world(seed: int, genes: int) -> World:
    """The world of this seed. Each group of parameters has a stream of its own."""
    types, programmes = len(TYPES), len(PROGRAMMES)

    def stream(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(world=seed, purpose=purpose, salt=SALT))

    shares, rng = stream("shares"), stream("programmes")
    return World(
        seed=seed,
        genes=genes,
        site_given_type=shares.dirichlet(np.full(SITES_PER_TYPE, 2.0), types),
        stage_given_type=shares.dirichlet(np.full(len(STAGES), 4.0), types),
        grade_given_type=shares.dirichlet(np.full(len(GRADES), 4.0), types),
        age_given_type=shares.dirichlet(np.full(len(AGE_DECADES), 6.0), types),
        type_programmes=rng.normal(0, 0.4, (types, programmes)),
        stage_effect=rng.normal(0, 0.55, programmes),
        grade_effect=rng.normal(0, 0.55, programmes),
        age_effect=rng.normal(0, 0.25, programmes),
        type_mean=_type_means(stream("means"), genes),
        site_shift=stream("site shifts").normal(0, 0.12, (types, SITES_PER_TYPE, genes)),
        loadings=_sparse(stream("loadings"), (genes, programmes), density=0.35, sd=0.55),
        hidden_loadings=_sparse(stream("hidden loadings"), (genes, HIDDEN_PROGRAMMES), density=0.3, sd=0.45),
        noise_sd=stream("noise").uniform(0.35, 0.8, genes),
        **_looks(stream("looks")),
    )


def _sparse(rng: np.random.Generator, shape: tuple[int, ...], density: float, sd: float) -> Array:
    return rng.normal(0, sd, shape) * (rng.random(shape) < density)


def _type_means(rng: np.random.Generator, genes: int) -> Array:
    """(t, g): baseline, effect of the primary site, markers of the type."""
    low = rng.random(genes) < 0.15
    baseline = np.where(low, rng.uniform(0, 1.5, genes), rng.gamma(4.0, 1.5, genes))
    _, site_of_type = np.unique([kind.primary_site for kind in TYPES], return_inverse=True)
    site_effect = _sparse(rng, (int(site_of_type.max()) + 1, genes), density=0.2, sd=0.35)
    markers = _sparse(rng, (len(TYPES), genes), density=0.05, sd=0.40)
    return np.asarray(baseline + site_effect[site_of_type] + markers)


def _looks(rng: np.random.Generator) -> dict[str, Array]:
    loadings = rng.normal(0, 0.35, (len(REGIONS), LOOK_WIDTH, len(PROGRAMMES)))
    loadings[REGIONS.index("background")] = 0.0
    loadings[REGIONS.index("stroma")] *= 0.4
    loadings[REGIONS.index("tumour"), :, PROGRAMMES.index("immune")] = 0.0
    type_look = rng.normal(0, 0.45, (len(TYPES), 1, LOOK_WIDTH))
    signature = rng.normal(0, 0.35, (len(TYPES), SITES_PER_TYPE, LOOK_WIDTH))
    return {
        "region_mean": rng.normal(0, 1.0, (len(REGIONS), LOOK_WIDTH)),
        "region_loadings": loadings,
        "look": type_look + signature,
    }
