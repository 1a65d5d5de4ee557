"""Entry checks shared by the metrics: arrays or tensors in, finite float64 matrices out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def as_array(values: Any) -> NDArray[Any]:
    """A NumPy array of a sequence, array or torch tensor on any device, of the same type and without a gradient.

    bfloat16, which NumPy lacks, becomes float32.
    """
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach().cpu()
    return np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())


def as_matrix(values: Any, name: str, *, rows: int = 1) -> Matrix:
    """A (n, genes) float64 copy or view of an array or torch tensor.

    Raises ValueError on another number of dimensions, on fewer than ``rows`` rows and on non-finite values.
    """
    matrix = as_array(values).astype(np.float64, copy=False)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise ValueError(f"{name} has shape {matrix.shape}; give a matrix of rows × genes")
    if matrix.shape[0] < rows:
        raise ValueError(f"{name} has {matrix.shape[0]} rows; at least {rows} are needed")
    finite = np.isfinite(matrix)
    if not finite.all():
        bad = int((~finite).any(axis=1).sum())
        raise ValueError(f"{name}: {bad} rows hold NaN or infinite values; repair or drop them first")
    return matrix


def as_pair(real: Any, synthetic: Any, *, rows: int = 1) -> tuple[Matrix, Matrix]:
    """Both matrices, checked for the same genes axis."""
    x, y = as_matrix(real, "real", rows=rows), as_matrix(synthetic, "synthetic", rows=rows)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"real has {x.shape[1]} genes and synthetic {y.shape[1]}; align both by gene name first")
    return x, y


def row_chunks(rows: int, chunk: int) -> Iterator[slice]:
    """Slices that cover 0 … rows in steps of ``chunk``."""
    for start in range(0, rows, chunk):
        yield slice(start, min(start + chunk, rows))


def squared_distances(x: Matrix, y: Matrix) -> Matrix:
    """(len(x), len(y)) squared Euclidean distances by one matrix product.

    Rounding leaves about 1e-13 of the squared norms: fine for averages, not for comparing ties.
    """
    product = x @ y.T
    product *= -2.0
    product += np.einsum("ij,ij->i", x, x)[:, None] + np.einsum("ij,ij->i", y, y)[None, :]
    return np.asarray(np.maximum(product, 0.0, out=product))
