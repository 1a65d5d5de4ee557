"""The common validation score: one number for checkpoints, early stopping and tuning of every family."""

import torch
from torch import Tensor

from gexbench.tasks.cohorts.split import Split

COMPONENTS = 50


class ValidationScore:
    """Energy distance between validation patients and rows made from their conditions; lower is better.

    Rows are compared on [z-scored expression in 50 principal components, √λ · one-hot finest label], λ the
    median squared distance between real validation rows, so that ignoring the condition costs: synthetic rows
    carry the label of their condition. Energy distance 2E‖X−Y‖ − E‖X−X'‖ − E‖Y−Y'‖ (Székely & Rizzo 2013),
    in the U-statistic form, so it can fall slightly below 0. Components are fitted on training rows.

    An unconditional generator is scored on expression alone (`labelled=False`): its rows carry labels that it never
    saw, and the joint score would prefer rows without classes.
    """

    def __init__(self, train: Split, validation: Split, *, labelled: bool) -> None:
        self.name = f"energy distance on {COMPONENTS} principal components{' and the finest label' if labelled else ''}"
        values = train.standardised
        self.center = values.mean(0)
        components = min(COMPONENTS, *values.shape)
        _, _, basis = torch.linalg.svd(values - self.center, full_matrices=False)
        self.basis = basis[:components].T.contiguous()
        real = self._project(validation.standardised)
        self.labels = real.new_zeros((len(real), 0))
        if labelled:
            classes = len(validation.conditions.classes[validation.conditions.label_columns[0]])
            one_hot = torch.nn.functional.one_hot(validation.conditions.finest, classes)
            self.labels = one_hot.to(real.dtype) * (torch.pdist(real).square().median() / 2).sqrt()
        self.real = torch.cat([real, self.labels], dim=1)
        self.within_real = torch.pdist(self.real).mean()

    def _project(self, standardised: Tensor) -> Tensor:
        projected: Tensor = (standardised - self.center) @ self.basis
        return projected

    @torch.no_grad()
    def __call__(self, standardised: Tensor) -> float:
        """Score of z-scored synthetic rows, row i made from the condition of validation patient i; (n, genes)."""
        synthetic = torch.cat([self._project(standardised), self.labels], dim=1)
        across = torch.cdist(self.real, synthetic, compute_mode="donot_use_mm_for_euclid_dist")
        return float(2 * across.mean() - self.within_real - torch.pdist(synthetic).mean())
