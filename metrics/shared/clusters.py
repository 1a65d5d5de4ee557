"""Sums of a patient-level value by cluster of test rows: what a bootstrap over clusters needs, and no more."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gexbench.metrics.shared.arrays import Matrix

DIGITS = 6
"""Significant digits of the sums: records stay small, and six are more than any interval needs."""

ClusterSums = dict[str, tuple[int, float]]


def cluster_sums(values: Matrix, clusters: Any) -> ClusterSums:
    """Cluster → rows with a value, and the sum of their values to ``DIGITS`` significant digits; clusters by name.

    Args:
        values: (n,), NaN for a row that takes no part.
        clusters: names, (n,).
    """
    taking = ~np.isnan(values)
    names, codes = np.unique(np.asarray(clusters)[taking], return_inverse=True)
    counts, sums = np.bincount(codes, minlength=len(names)), np.bincount(codes, values[taking], len(names))
    return {
        str(name): (int(count), float(f"{total:.{DIGITS}g}"))
        for name, count, total in zip(names, counts, sums, strict=True)
    }


def by_cluster(per_row: Mapping[str, Matrix], clusters: Any) -> dict[str, ClusterSums]:
    """``cluster_sums`` of every key."""
    return {key: cluster_sums(values, clusters) for key, values in per_row.items()}
