"""Public functions take torch tensors: of any float type, with a gradient, on any device; results are the arrays'."""

import numpy as np
import pytest

import gexbench.metrics as metrics

torch = pytest.importorskip("torch")
LABELS = np.repeat(["a", "b"], [14, 16])


def _rows(seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(30, 12)) + (LABELS == "a")[:, None] * np.arange(12)).astype(np.float32)


CALLS = {
    **{name: getattr(metrics, name) for name in ("precision", "recall", "density", "coverage", "frechet", "ks")},
    **{name: getattr(metrics, name) for name in ("correlation_gamma", "correlation_mse", "energy_distance")},
    "variance_ratio": lambda x, y: metrics.variance_ratio(x, y, LABELS),
    "de_concordance": lambda x, y: metrics.de_concordance(x, y, LABELS),
    "concordance": metrics.concordance,
    "copy_threshold": metrics.copy_threshold,
    "auc": lambda x, y: metrics.auc(x[:, 0], y[:, 0]),
    "crps": lambda x, y: metrics.crps(x.reshape(5, 6, 12), y[:5]),
    "pathway_activity": lambda x, y: metrics.pathway_activity(x, (y[20:22] > 0).T),
    "paper_support": metrics.paper_support,
}


def _devices():
    return ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", _devices())
@pytest.mark.parametrize("name", CALLS)
def test_tensors_give_the_arrays_values(name, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x, y = _rows(0), _rows(1)
    found = CALLS[name](torch.tensor(x, device=device, requires_grad=True), torch.tensor(y, device=device))
    expected = CALLS[name](x, y)
    assert np.array_equal(found, expected)
    assert isinstance(found, float | np.ndarray | tuple)


def test_bfloat16_and_labels_as_tensors():
    x, y = (torch.tensor(_rows(seed)).bfloat16() for seed in (0, 1))
    assert metrics.precision(x, y) == metrics.precision(x.float().numpy(), y.float().numpy())
    codes = torch.tensor((LABELS == "a").astype(int))
    assert metrics.de_concordance(x, y, codes) == metrics.de_concordance(x, y, codes.numpy())
    assert metrics.variance_ratio(x, y, codes) == metrics.variance_ratio(x, y, LABELS)
    assert isinstance(metrics.coverage(x, y), float)
