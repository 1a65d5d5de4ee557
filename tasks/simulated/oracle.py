"""Exact draws from p(expression | any subset of labels, text and patches) of the simulated cohort.

Given the discrete parents H = (type, site, stage, grade, age) the programmes h and the patches are jointly
Gaussian, so the conditional is a mixture over the hypotheses H that are compatible with what is shown: the
weights are computed exactly, a draw takes a hypothesis, then h, then the hidden programmes and the noise
(Bishop 2006, Pattern Recognition and Machine Learning, eqs. 2.113 to 2.117).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.simulated.cohort import gene_names, simulated_conditions
from gexbench.tasks.simulated.world import (
    AGE_DECADES,
    GRADES,
    HIDDEN_PROGRAMMES,
    LOOK_WIDTH,
    PATCH_NOISE,
    PROGRAMMES,
    REGIONS,
    SITES_PER_TYPE,
    STAGES,
    TYPES,
    VERSION,
    Array,
    World,
    simulated_world,
)

Kind = Literal["labels", "text", "patches"]
TextVariant = Literal["full", "plain"]
KINDS: tuple[Kind, ...] = ("labels", "text", "patches")

GRID = (len(TYPES), SITES_PER_TYPE, len(STAGES), len(GRADES), len(AGE_DECADES))
"""Shape of the hypotheses: type, site of the type, stage, grade, age decade."""
_ROWS_AT_ONCE = 16_384
_MOST_PATIENTS_AT_ONCE = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What is shown of n patients.

    `codes` is (n, 5) over the axes of `GRID`, −1 where the value is not shown; `counts` (n, r) patches per region
    class; `sums` (n, r, 60) sums over them of the look minus the mean look of its region class.
    """

    codes: NDArray[np.int64]
    counts: Array
    sums: Array


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedOracle:
    """The exact conditional of a simulated cohort for one subset of conditions; see `oracle`."""

    world: World
    conditions: frozenset[Kind]
    ids: pd.Index
    shown: _Shown

    @property
    def genes(self) -> tuple[str, ...]:
        """Gene names, the columns of the draws."""
        return gene_names(self.world.genes)

    def sample(self, ids: Sequence[str] | NDArray[np.str_], draws: int = 1, *, seed: int) -> NDArray[np.float32]:
        """`draws` exact draws per patient, found by id, in log2(rsem+1).

        Returns:
            (n, draws, genes) float32, at least 0; the same arguments give the same bits.

        Raises:
            InputError: ids that the cohort does not hold.
        """
        rows = self._rows(ids)
        rng = np.random.default_rng(seed)
        drawn = np.empty((len(rows), draws, self.world.genes), dtype=np.float32)
        step = min(max(_ROWS_AT_ONCE // max(draws, 1), 1), _MOST_PATIENTS_AT_ONCE)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            drawn[part] = self._draw(rows[part], draws, rng)
        return drawn

    def weights(self, ids: Sequence[str] | NDArray[np.str_]) -> Array:
        """Posterior probability of every hypothesis, shape (n, *GRID); each patient's sum is 1."""
        log_weights, _, _ = self._posterior(self._rows(ids))
        return _normalised(log_weights).reshape(-1, *GRID)

    def _rows(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.intp]:
        rows: NDArray[np.intp] = self.ids.get_indexer(np.asarray(ids, dtype=object))
        if (rows < 0).any():
            unknown = np.asarray(ids)[rows < 0]
            raise InputError(
                f"{len(unknown)} of {len(rows)} ids are not in the simulated cohort ({examples(unknown)}); "
                "build the oracle from the cohort that contains them"
            )
        return rows

    def _posterior(self, rows: NDArray[np.intp]) -> tuple[Array, Array, Array]:
        """Log weights (n, H), whitened mean programmes w (n, H, L) and the whitening A (n, L, L).

        With Λ = I + Σ_r n_r C_rᵀC_r / τ² and AᵀA = Λ⁻¹: w = Aη_H, and h | H ~ N(Aᵀw, AᵀA).
        """
        world, precision = self.world, PATCH_NOISE**-2
        counts, sums = self.shown.counts[rows], self.shown.sums[rows]
        loadings, look, means = world.region_loadings, world.look, world.programme_means
        gram = np.einsum("rdl,rdm->rlm", loadings, loadings)
        information = np.eye(len(PROGRAMMES)) + precision * np.einsum("nr,rlm->nlm", counts, gram)
        whitening = np.linalg.inv(np.linalg.cholesky(information))

        seen = np.einsum("nrd,rdl->nl", sums, loadings)[:, None, None]
        seen = seen - np.einsum("nr,rdl,tqd->ntql", counts, loadings, look, optimize=True)
        eta = means[:, None] + precision * seen[:, :, :, None, None, None]
        white = np.matmul(eta.reshape(len(rows), -1, len(PROGRAMMES)), whitening.transpose(0, 2, 1))

        fit = np.einsum("nrd,tqd->ntq", sums, look) - 0.5 * counts.sum(1)[:, None, None] * (look**2).sum(-1)
        log_weights = _log_prior(world) - 0.5 * (means**2).sum(-1)[:, None]
        log_weights = log_weights + precision * fit[..., None, None, None]
        log_weights = np.where(_compatible(self.shown.codes[rows]), log_weights, -np.inf)
        return log_weights.reshape(len(rows), -1) + 0.5 * (white**2).sum(-1), white, whitening

    def _draw(self, rows: NDArray[np.intp], draws: int, rng: np.random.Generator) -> Array:
        log_weights, white, whitening = self._posterior(rows)
        hypothesis = _draw_rows(_normalised(log_weights), draws, rng)
        kind, site, *_ = np.unravel_index(hypothesis, GRID)
        programmes = np.take_along_axis(white, hypothesis[..., None], axis=1)
        programmes = np.matmul(programmes + rng.standard_normal(programmes.shape), whitening)
        hidden = rng.standard_normal((*hypothesis.shape, HIDDEN_PROGRAMMES))
        world = self.world
        latent = rng.standard_normal((*hypothesis.shape, world.genes))
        latent *= world.noise_sd
        latent += np.concatenate([programmes, hidden], -1) @ np.hstack([world.loadings, world.hidden_loadings]).T
        latent += (world.type_mean[:, None] + world.site_shift)[kind, site]
        return np.maximum(latent, 0.0, out=latent)


def oracle(
    cohort: Cohort | Mapping[str, Any], conditions: Collection[Kind] = KINDS, *, text: TextVariant = "full"
) -> SimulatedOracle:
    """The exact conditional of a simulated cohort given a subset of its conditions.

    Conditioning on the labels is conditioning on the type; on the full text, on type, stage, grade and age decade
    as shown (a missing stage or grade stays unknown); on the plain text, on stage and age decade; on the patches,
    on all patches of the patient as stored. Sites are never shown and always summed over. Expression is never
    read. On the site-held-out track the oracle still knows the effects of all sites: a bound, not attainable.

    Args:
        cohort: a simulated cohort, or its provenance, from which its conditions are made again.
        conditions: any subset of `labels`, `text`, `patches`; none gives the marginal.
        text: the variant of the clinical text that is shown.

    Raises:
        InputError: a cohort that is not simulated or of another version, unknown conditions, patches asked of a
            cohort without.
    """
    unknown = sorted(set(conditions) - set(KINDS))
    if unknown:
        raise InputError(f"unknown conditions {examples(unknown)}: use a subset of {', '.join(KINDS)}")
    facts = cohort.provenance if isinstance(cohort, Cohort) else cohort
    problem = why_not_simulated(facts)
    if problem:
        raise InputError(problem)
    seed, patients, genes = (int(facts[name]) for name in ("seed", "patients", "genes"))
    world = simulated_world(seed, genes)
    if isinstance(cohort, Cohort):
        clinical, patches = cohort.clinical, cohort.patches
    else:
        clinical, patches = simulated_conditions(patients, genes, seed)
    if patches is None and "patches" in conditions:
        raise InputError("the oracle given patches needs a cohort with patches; leave 'patches' out of its conditions")
    codes = _shown_codes(clinical, frozenset(conditions), text)
    counts, sums = _region_sums(world, patches if "patches" in conditions else None, len(clinical))
    return SimulatedOracle(world, frozenset(conditions), clinical.index, _Shown(codes, counts, sums))


def why_not_simulated(provenance: Mapping[str, Any]) -> str | None:
    """Why a cohort of this provenance has no oracle, with the fix; None when it has one."""
    if provenance.get("kind") != "simulated":
        return "needs the simulated cohort: the true conditional is known only there"
    if provenance.get("version") != VERSION:
        return (
            f"needs the simulated cohort of version {VERSION}, but but this one has version "
            f"{provenance.get('version')}; "
            "build it again"
        )
    wrong = [name for name in ("seed", "patients", "genes") if not isinstance(provenance.get(name), Integral)]
    if wrong:
        return f"needs the simulated cohort with its provenance: {examples(wrong)} is not an integer; build it again"
    return None


def _shown_codes(clinical: pd.DataFrame, conditions: frozenset[Kind], text: TextVariant) -> NDArray[np.int64]:
    """(n, 5) codes over the axes of `GRID`, −1 where nothing is shown."""
    full, any_text = "text" in conditions and text == "full", "text" in conditions
    codes = np.full((len(clinical), len(GRID)), -1, dtype=np.int64)
    if "labels" in conditions or full:
        codes[:, 0] = _codes(clinical["project"], [kind.project for kind in TYPES])
    if any_text:
        codes[:, 2] = _codes(clinical["ajcc_stage"], STAGES)
        codes[:, 4] = _codes(clinical["age_diagnosed"] // 10 * 10, AGE_DECADES)
    if full:
        codes[:, 3] = _codes(clinical["histological_grade"], GRADES)
    return codes


def _codes(values: "pd.Series[Any]", known: Sequence[object]) -> NDArray[np.int64]:
    """Place of each value among the known ones, −1 where it is missing."""
    codes = pd.Index(known, dtype=object).get_indexer(values.astype(object))
    wrong = (codes < 0) & values.notna().to_numpy()
    if wrong.any():
        raise InputError(
            f"column {values.name}: {examples(values[wrong].unique())} is not a value of the simulated cohort; build "
            "the cohort again"
        )
    return np.asarray(codes, dtype=np.int64)


def _region_sums(world: World, patches: Ragged | None, patients: int) -> tuple[Array, Array]:
    """Patches per region class (n, r), and sums over them of look − mean look of the class (n, r, 60)."""
    classes = len(REGIONS)
    if patches is None:
        return np.zeros((patients, classes)), np.zeros((patients, classes, LOOK_WIDTH))
    values = patches.values.astype(np.float64)
    region = values[:, :classes].argmax(1)
    cell = np.repeat(np.arange(patients), patches.counts) * classes + region
    sums = np.zeros((patients * classes, LOOK_WIDTH))
    np.add.at(sums, cell, values[:, classes:] - world.region_mean[region])
    counts = np.bincount(cell, minlength=patients * classes).astype(np.float64)
    return counts.reshape(patients, classes), sums.reshape(patients, classes, LOOK_WIDTH)


def _log_prior(world: World) -> Array:
    """log P(H), shape GRID."""
    stage, grade, age = world.stage_given_type, world.grade_given_type, world.age_given_type
    return np.asarray(
        np.log(world.type_weights)[:, None, None, None, None]
        + np.log(world.site_given_type)[:, :, None, None, None]
        + np.log(stage)[:, None, :, None, None]
        + np.log(grade)[:, None, None, :, None]
        + np.log(age)[:, None, None, None, :]
    )


def _compatible(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which hypotheses agree with the shown codes, broadcastable to (n, *GRID)."""
    agree = np.ones((len(codes), *(1,) * len(GRID)), dtype=bool)
    for axis, size in enumerate(GRID):
        shown = codes[:, axis, None]
        fits = (shown < 0) | (shown == np.arange(size))
        agree = agree & fits.reshape(len(codes), *(size if place == axis else 1 for place in range(len(GRID))))
    return agree


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _draw_rows(weights: Array, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`draws` indices per row of (n, H) weights that sum to 1, by inversion, shape (n, draws)."""
    reached = weights.cumsum(1)
    reached /= reached[:, -1:]
    row = np.arange(len(weights))[:, None]
    drawn = np.searchsorted((reached + row).ravel(), (rng.random((len(weights), draws)) + row).ravel(), side="right")
    places = drawn.reshape(len(weights), draws) - row * weights.shape[1]
    return np.asarray(np.minimum(places, weights.shape[1] - 1), dtype=np.intp)
