"""Pyro's evidence lower bound without its reads from the device."""

from collections.abc import Callable
from typing import Any

import pyro
from pyro.distributions.util import scale_and_mask
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor
from torch.distributions import kl_divergence


class DeviceBound(TraceMeanField_ELBO):
    """The negative bound, bit for bit that of `TraceMeanField_ELBO`, with the same gradient.

    Pyro's own reads the bound and its terms back to the host a dozen times a step (validation, warnings of NaN), and
    a GPU waits each time. Here nothing is read: `TrainingRun` finds values that are not finite. Every latent has a
    closed KL divergence.
    """

    def differentiable_loss(
        self, model: Callable[..., Any], guide: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Tensor:
        """Scalar −ELBO of the rows in the arguments, the terms of latents weighted as the guide's sites say."""
        with pyro.validation_enabled(False):
            model_trace, guide_trace = self._get_trace(model, guide, args, kwargs)  # type: ignore[no-untyped-call]
        bound: Any = 0.0
        for name, site in model_trace.nodes.items():
            if site["type"] != "sample":
                continue
            if site["is_observed"]:
                bound = bound + site["log_prob_sum"]
            else:
                of_guide = guide_trace.nodes[name]
                divergence = kl_divergence(of_guide["fn"], site["fn"])
                weighted: Any = scale_and_mask(divergence, of_guide["scale"], of_guide["mask"])  # type: ignore[no-untyped-call]
                bound = bound - weighted.sum()
        negative: Tensor = -bound
        return negative
