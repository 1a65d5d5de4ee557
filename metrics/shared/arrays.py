"""Entry checks shared by the metrics: arrays or tensors in, finite float64 matrices out.

Most metrics compute in NumPy. Those that are quadratic in the rows or the genes use functions that NumPy and torch
share by name, so that tensors on a GPU are compared there (`device_matrix`); arrays and CPU tensors take NumPy.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Rows = Any
"""Float64 rows: a `Matrix`, or a torch tensor on a GPU."""
MOST_PAIRS = 2**23
"""Values held at once of what all pairs of rows have (64 MB): 512 rows against 16,384, more than a panel compares."""


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
    return np.asarray(_checked(as_array(values).astype(np.float64, copy=False), name, rows))


def _checked(matrix: Rows, name: str, rows: int) -> Rows:
    shape = tuple(matrix.shape)
    if matrix.ndim != 2 or shape[1] == 0:
        raise ValueError(f"{name} has shape {shape}; give a matrix of rows × genes")
    if shape[0] < rows:
        raise ValueError(f"{name} has {shape[0]} rows; at least {rows} are needed")
    finite = namespace(matrix).isfinite(matrix)
    if not finite.all():
        bad = int((~finite).any(axis=1).sum())
        raise ValueError(f"{name}: {bad} rows hold NaN or infinite values; repair or drop them first")
    return matrix


def as_pair(real: Any, synthetic: Any, *, rows: int = 1) -> tuple[Matrix, Matrix]:
    """Both matrices, checked for the same genes axis."""
    return _aligned(as_matrix(real, "real", rows=rows), as_matrix(synthetic, "synthetic", rows=rows))


def _aligned(x: Rows, y: Rows) -> tuple[Rows, Rows]:
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"real has {x.shape[1]} genes and synthetic {y.shape[1]}; align both by gene name first")
    return x, y


def on_gpu(values: Any) -> bool:
    """Whether values are a torch tensor on a CUDA device; others (MPS knows no float64) are compared on the CPU."""
    return hasattr(values, "detach") and values.device.type == "cuda"


def device_matrix(values: Any, name: str, *, rows: int = 1) -> Rows:
    """As `as_matrix`, but a tensor on a GPU stays there and becomes float64."""
    if not on_gpu(values):
        return as_matrix(values, name, rows=rows)
    return _checked(values.detach().double(), name, rows)


def device_pair(real: Any, synthetic: Any, *, rows: int = 1) -> tuple[Rows, Rows]:
    """As `as_pair`, on the GPU of the first of both that lies on one."""
    x, y = device_matrix(real, "real", rows=rows), device_matrix(synthetic, "synthetic", rows=rows)
    x, y = (x, like(y, x)) if on_gpu(x) else (like(x, y), y)
    return _aligned(x, y)


def namespace(rows: Rows) -> Any:
    """numpy, or torch for a tensor."""
    if isinstance(rows, np.ndarray):
        return np
    import torch

    return torch


def like(values: Any, rows: Rows) -> Any:
    """Values as an array, or as a tensor on the device of rows where these are one."""
    if isinstance(rows, np.ndarray):
        return values
    import torch

    return torch.tensor(values, device=rows.device) if isinstance(values, np.ndarray) else values.to(rows.device)


def column_sorted(rows: Rows) -> Rows:
    """Every column in ascending order."""
    return np.sort(rows, axis=0) if isinstance(rows, np.ndarray) else rows.sort(dim=0).values


def smallest(rows: Rows, count: int) -> Rows:
    """The ``count`` smallest values of every row in ascending order, (n, count)."""
    if isinstance(rows, np.ndarray):
        return np.sort(np.partition(rows, count - 1, axis=1)[:, :count], axis=1)
    return rows.topk(count, dim=1, largest=False, sorted=True).values


def row_chunks(rows: int, chunk: int) -> Iterator[slice]:
    """Slices that cover 0 … rows in steps of ``chunk``."""
    for start in range(0, rows, chunk):
        yield slice(start, min(start + chunk, rows))


def pair_chunks(rows: int, others: int, chunk: int) -> Iterator[slice]:
    """As `row_chunks`, in smaller steps where a step's values for all ``others`` would pass `MOST_PAIRS`."""
    return row_chunks(rows, max(1, min(chunk, MOST_PAIRS // max(1, others))))


def squared_distances(x: Rows, y: Rows) -> Rows:
    """(len(x), len(y)) squared Euclidean distances by one matrix product.

    Rounding leaves about 1e-13 of the squared norms: fine for averages, not for comparing ties.
    """
    xp = namespace(x)
    product = x @ y.T
    product *= -2.0
    product += xp.einsum("ij,ij->i", x, x)[:, None] + xp.einsum("ij,ij->i", y, y)[None, :]
    return xp.clip(product, 0.0, None, out=product)
