"""Plain NumPy: class means and a bootstrap of residuals."""

import numpy as np
import torch

from gexbench.models.contract import Generator, Samples, silent


class Residuals(Generator):
    needs = frozenset({"labels"})

    def fit(self, train, validation, *, seed, progress=silent):
        rows, codes = train.expression.cpu().numpy(), train.conditions.finest.cpu().numpy()
        self.genes, self.floor = train.genes, train.cohort.unit.floor
        self.means = np.zeros((codes.max() + 1, rows.shape[1]), np.float32)
        for code in np.unique(codes):
            self.means[code] = rows[codes == code].mean(0)
        self.residuals = rows - self.means[codes]
        progress(1, 1)

    def sample(self, conditions, draws=1, *, seed):
        codes = conditions.finest.cpu().numpy().repeat(draws)
        chosen = np.random.default_rng(seed).integers(len(self.residuals), size=len(codes))
        rows = self.means[codes] + self.residuals[chosen]
        return Samples.of(rows if self.floor is None else np.maximum(rows, self.floor), conditions, draws, self.genes)

    def state(self):
        tensors = {"means": torch.from_numpy(self.means), "residuals": torch.from_numpy(self.residuals)}
        return tensors, {"genes": list(self.genes), "floor": self.floor}

    def restore(self, tensors, facts, device):
        self.means, self.residuals = (tensors[name].cpu().numpy() for name in ("means", "residuals"))
        self.genes, self.floor = tuple(facts["genes"]), facts["floor"]
