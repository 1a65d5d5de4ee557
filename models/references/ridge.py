"""Ridge regression in closed form, its penalty chosen on validation rows, with leave-one-out residuals."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

PENALTIES = tuple(10.0 ** (half / 2) for half in range(-10, 1))
"""Penalties tried, per training patient."""


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Ridge regression with an unpenalised intercept, fitted for all outputs at once.

    Attributes:
        weights: (features, outputs); centre: (features,) means of the features; intercept: (outputs,).
        penalty: of the squared weights, chosen on validation rows.
        errors: penalty → mean squared error on the validation rows.
        residuals: (n, outputs) leave-one-out: row i's error under the fit to all rows but i.
    """

    weights: Tensor
    centre: Tensor
    intercept: Tensor
    penalty: float
    errors: Mapping[float, float]
    residuals: Tensor

    @classmethod
    def fit(cls, features: Tensor, outputs: Tensor, validation: tuple[Tensor, Tensor]) -> "Ridge":
        """Choose the penalty of least squared error on the validation rows.

        With centred features X = U S Vᵀ, a penalty p gives weights V S/(S² + p) Uᵀ Y and the hat matrix
        H = 1/n + U S²/(S² + p) Uᵀ; leave-one-out residuals are (y − Hy)ᵢ / (1 − Hᵢᵢ) (Golub, Heath & Wahba 1979).

        Args:
            features: (n, features) float64; outputs: (n, outputs) float64.
            validation: features and outputs of the validation rows.
        """
        centre, intercept = features.mean(0), outputs.mean(0)
        left, singular, right = torch.linalg.svd(features - centre, full_matrices=False)
        rotated = left.T @ (outputs - intercept)
        seen = (validation[0] - centre) @ right.T

        def weighted(penalty: float) -> Tensor:
            scaled: Tensor = (singular / (singular.square() + penalty))[:, None] * rotated
            return scaled

        errors = {
            penalty: float((validation[1] - intercept - seen @ weighted(penalty)).square().mean())
            for penalty in (each * len(features) for each in PENALTIES)
        }
        penalty = min(errors, key=errors.__getitem__)
        kept = singular.square() / (singular.square() + penalty)
        leverage = 1 / len(features) + left.square() @ kept
        residuals = outputs - intercept - left @ (kept[:, None] * rotated)
        residuals /= (1 - leverage).clamp_min(1e-6)[:, None]
        return cls(right.T @ weighted(penalty), centre, intercept, penalty, errors, residuals)
