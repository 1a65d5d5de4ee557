"""Public functions take torch tensors: of any float type, with a gradient, on any device; results are the arrays'.

What computes on a GPU runs here on one where there is one, and everywhere with CPU tensors that are taken for a GPU's:
the same functions of torch.
"""

import numpy as np
import pytest

import gexbench.metrics as metrics
from gexbench.metrics import distribution, membership, memorisation, structure, support
from gexbench.metrics.shared import arrays

torch = pytest.importorskip("torch")
LABELS = np.repeat(["a", "b"], [14, 16])
GENES = 40
CUDA = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
)


def _rows(seed, rows=30):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, GENES)) + (LABELS == "a")[:rows, None] * np.arange(GENES)).astype(np.float32)


ON_GPU = {
    **{name: getattr(metrics, name) for name in ("precision", "recall", "density", "coverage", "paper_support")},
    **{name: getattr(metrics, name) for name in ("frechet", "mmd", "energy_distance", "sliced_wasserstein", "ks")},
    **{name: getattr(metrics, name) for name in ("correlation_gamma", "correlation_mse", "strong_pairs_mae")},
    "frechet_of_few_genes": lambda x, y: metrics.frechet(x[:, :7], y[:, :7]),
    "wasserstein_1d": metrics.wasserstein_1d,
    "median_width": lambda x, y: distribution.median_width(x),
    "correlation_matrix": lambda x, y: structure.correlation_matrix(x),
    "radii": lambda x, y: support.radii(x, 3),
    "nearest_ratios": lambda x, y: memorisation.nearest_ratios(y, x),
    "donor_ratios": lambda x, y: memorisation.donor_ratios(y, x),
    "copy_share": lambda x, y: metrics.copy_share(y, x, 0.9),
    "nearest_distances": lambda x, y: membership.nearest_distances(x, y),
    "nearer_share": lambda x, y: metrics.nearer_share(x[:10], x[10:], y),
}
"""Functions that compute on a GPU where the rows lie on one."""

CALLS = {
    **ON_GPU,
    "segment_ratios": lambda x, y: memorisation.segment_ratios(y, x),
    "variance_ratio": lambda x, y: metrics.variance_ratio(x, y, LABELS),
    "zero_fraction": lambda x, y: metrics.zero_fraction(x, 0.0),
    "de_concordance": lambda x, y: metrics.de_concordance(x, y, LABELS),
    "concordance": metrics.concordance,
    "copy_threshold": metrics.copy_threshold,
    "auc": lambda x, y: metrics.auc(x[:, 0], y[:, 0]),
    "crps": lambda x, y: metrics.crps(x.reshape(5, 6, GENES), y[:5]),
    "pathway_activity": lambda x, y: metrics.pathway_activity(x, (y[20:22] > 0).T),
}


def _plain(found):
    return found if isinstance(found, np.ndarray) else np.asarray(found, dtype=float)


@pytest.fixture
def as_on_gpu(monkeypatch):
    """CPU tensors are taken for tensors of a GPU."""
    monkeypatch.setattr(arrays, "on_gpu", lambda values: hasattr(values, "detach"))


@pytest.mark.parametrize("name", CALLS)
def test_cpu_tensors_give_the_very_values_of_the_arrays(name):
    x, y = _rows(0), _rows(1)
    found = CALLS[name](torch.tensor(x, requires_grad=True), torch.tensor(y))
    assert np.array_equal(found, CALLS[name](x, y))
    assert isinstance(found, float | np.ndarray | tuple)


@pytest.mark.parametrize("device", [CUDA])
@pytest.mark.parametrize("name", CALLS)
def test_gpu_tensors_give_the_arrays_values(name, device):
    _compare(name, device, _rows(0), _rows(1))


@pytest.mark.parametrize("name", [*ON_GPU, "segment_ratios"])
def test_what_a_gpu_computes_is_what_arrays_give(name, as_on_gpu):
    _compare(name, "cpu", _rows(0), _rows(1))


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", ["wasserstein_1d", "sliced_wasserstein", "ks", "mmd", "coverage", "frechet"])
def test_sets_of_two_sizes(name, device, as_on_gpu):
    _compare(name, device, _rows(0), _rows(1, rows=23))


def _compare(name, device, x, y):
    one, other = torch.tensor(x, device=device, requires_grad=True), torch.tensor(y, device=device)
    found, expected = CALLS[name](one, other), CALLS[name](x, y)
    assert type(found) is type(expected)
    # Fréchet takes roots of eigenvalues that are 0 up to rounding where there are fewer rows than genes.
    rel = 1e-5 if name == "frechet" else 1e-9
    assert _plain(found) == pytest.approx(_plain(expected), rel=rel, abs=1e-9)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", ON_GPU)
def test_no_rows_leave_the_gpu(name, device, as_on_gpu, monkeypatch):
    """Nothing as large as the rows becomes a NumPy array, apart from a result of that size."""
    x, y = (torch.tensor(_rows(seed), device=device) for seed in (0, 1))
    plain, result = arrays.as_array, _plain(CALLS[name](x, y)).size

    def watched(values):
        if hasattr(values, "detach"):
            assert values.numel() < x.numel() or values.numel() == result, values.shape
        return plain(values)

    for module in (arrays, distribution, membership, memorisation, structure, support):
        monkeypatch.setattr(module, "as_array", watched)
    CALLS[name](x, y)


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_ties_and_equal_rows_are_decided_on_a_gpu_as_in_arrays(device, as_on_gpu):
    rng = np.random.default_rng(5)
    grid = rng.integers(0, 3, (40, 3)).astype(float)
    other = rng.integers(0, 3, (40, 3)).astype(float)
    for x, y in ((grid, other), (grid, grid), (np.ones((9, 4)), np.ones((9, 4))), (grid, grid[:20] + 0.1)):
        for distance in ("euclidean", "manhattan"):
            on_gpu = (torch.tensor(rows, device=device) for rows in (x, y))
            expected = support.support_measures(x, y, 3, distance=distance)
            assert support.support_measures(*on_gpu, 3, distance=distance) == pytest.approx(expected)


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_one_side_may_lie_on_a_gpu(device, monkeypatch):
    x, y = _rows(0), _rows(1)
    for real, synthetic in ((torch.tensor(x, device=device), y), (x, torch.tensor(y, device=device))):
        gpu = real if hasattr(real, "detach") else synthetic
        with monkeypatch.context() as patch:
            patch.setattr(arrays, "on_gpu", lambda values, gpu=gpu: values is gpu or hasattr(values, "detach"))
            assert metrics.energy_distance(real, synthetic) == pytest.approx(metrics.energy_distance(x, y))
            kept = support.support_measures(real, synthetic, real_radii=support.radii(x))
        assert kept == pytest.approx(support.support_measures(x, y))


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_bad_tensors_are_refused_like_arrays(device, as_on_gpu):
    x = torch.tensor(_rows(0), device=device)
    spoilt = x.clone()
    spoilt[3, 1] = float("nan")
    for real, synthetic, message in (
        (x, spoilt, "synthetic: 1 rows hold NaN"),
        (x, x[:, :5], f"real has {GENES} genes and synthetic 5"),
        (x[0], x, r"real has shape \(40,\)"),
        (x[:1], x, "real has 1 rows; at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.frechet(real, synthetic)


def test_bfloat16_and_labels_as_tensors():
    x, y = (torch.tensor(_rows(seed)).bfloat16() for seed in (0, 1))
    assert metrics.precision(x, y) == metrics.precision(x.float().numpy(), y.float().numpy())
    codes = torch.tensor((LABELS == "a").astype(int))
    assert metrics.de_concordance(x, y, codes) == metrics.de_concordance(x, y, codes.numpy())
    assert metrics.variance_ratio(x, y, codes) == metrics.variance_ratio(x, y, LABELS)
    assert isinstance(metrics.coverage(x, y), float)
