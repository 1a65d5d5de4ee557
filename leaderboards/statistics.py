"""Intervals and tests over folds that share training patients, and Holm's correction.

All functions take (rows, folds) arrays of fold means (seeds already averaged), NaN where a fold has no value,
and `share` = n_test / n_train of the folds.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

FloatArray = NDArray[np.float64]
CONFIDENCE = 0.95
POWER = 0.8
"""Probability of seeing the smallest difference that a table is said to see."""
ROUNDING = 1e-14
"""Means of differences and standard errors below it are rounding errors of equal numbers."""


def fold_mean(values: ArrayLike) -> FloatArray:
    """Mean over the folds that have a value; (rows,), NaN where none has."""
    found, count = _found(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, np.nansum(found, axis=1) / count, np.nan)


def half_width(values: ArrayLike, share: float) -> FloatArray:
    """Half-width of the 95 % interval of a fold mean.

    t(.975, J - 1) · s · √(1/J + n_test/n_train), s with ddof 1: the corrected resampled t of Nadeau & Bengio
    2003 ("Inference for the generalization error", Machine Learning 52, eq. 9).

    Returns:
        (rows,), >= 0; NaN with fewer than two folds.
    """
    found, count = _found(values)
    error = standard_error(found, share)
    quantile = stdtrit(np.maximum(count - 1, 1), 0.5 + CONFIDENCE / 2)
    return np.asarray(quantile * error, dtype=np.float64)


def standard_error(values: ArrayLike, share: float) -> FloatArray:
    """s · √(1/J + n_test/n_train) over the folds that have a value; NaN with fewer than two."""
    found, count = _found(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = found - fold_mean(found)[:, None]
        variance = np.nansum(centred**2, axis=1) / (count - 1)
        error = np.sqrt(variance * (1 / np.maximum(count, 1) + share))
    return np.where(count > 1, np.where(error < ROUNDING, 0.0, error), np.nan)


def error_of(half_widths: ArrayLike, degrees: int) -> FloatArray:
    """The standard errors behind half-widths of 95 % intervals with so many degrees of freedom."""
    quantile = stdtrit(degrees, 0.5 + CONFIDENCE / 2)
    return np.asarray(np.asarray(half_widths, dtype=np.float64) / quantile, dtype=np.float64)


def visible(error: ArrayLike, tests: int, degrees: int) -> FloatArray:
    """Difference that the first of Holm's tests calls different with probability .8.

    (t(1 - .025 / tests) + t(.8)) · error, t of `degrees` degrees of freedom: significance and power (Cohen 1988).
    """
    quantiles = stdtrit(degrees, 1 - (1 - CONFIDENCE) / 2 / tests) + stdtrit(degrees, POWER)
    return np.asarray(quantiles * np.asarray(error, dtype=np.float64), dtype=np.float64)


def p_value(differences: ArrayLike, share: float) -> FloatArray:
    """Two-sided p of fold-paired differences being 0 in the mean, with the corrected standard error.

    Returns:
        (rows,) in [0, 1]; NaN with fewer than two folds; 1 where the mean difference is 0, 0 where all folds differ by
        one and the same amount.
    """
    found, count = _found(differences)
    mean, error = fold_mean(found), standard_error(found, share)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(np.abs(mean) < ROUNDING, 0.0, np.abs(mean) / error)
    p = 2 * stdtr(np.maximum(count - 1, 1), -t)
    return np.where(count > 1, p, np.nan)


def holm(p: ArrayLike) -> FloatArray:
    """Holm's step-down adjusted p of one family of tests (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p: (tests,), NaN for a test that could not be made; those stay NaN and do not count.

    Returns:
        (tests,) adjusted p in the given order: max over j <= i of min(1, (m - j + 1) p_(j)).
    """
    given = np.asarray(p, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * factors))
    return adjusted


def _found(values: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    found = np.atleast_2d(np.asarray(values, dtype=np.float64))
    return found, (~np.isnan(found)).sum(axis=1)
