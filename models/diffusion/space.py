"""Where diffusion happens: leading principal components, with a Gaussian for the rest, or all genes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn import functional

MOST_REST = 1000
"""Directions in which the residual is drawn; further ones are dropped."""
_PRIOR_ROWS = 10.0
_BLOCK = 32
_LEAST = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class ComponentSpace:
    """Rows (n, genes) ↔ latents: k whitened principal components and the logarithm of the row's rest.

    The rest of a row is what the k components leave. It is drawn, not diffused: independent normals along the
    following components, times the row's size of the rest, which is the last latent, times a standard deviation per
    gene, plus a mean; both depend on the nearest cluster of the row's components. So that few latents have to be
    learned from few patients, while every direction keeps its variance.

    Attributes:
        centre: (genes,) mean of training rows.
        basis: (k, genes); scale: (k,) standard deviations of the components.
        rest_basis: (m, genes); rest_scale: (m,), of mean square 1 before widening.
        size: (2,) mean and standard deviation of the logarithm of the size, the root mean square over the rest
            about its mean.
        centroids: (clusters, k); means: (clusters, m) of the rest; ratios: (clusters, genes), its standard deviation
            over that of all rows.
    """

    centre: Tensor
    basis: Tensor
    scale: Tensor
    rest_basis: Tensor
    rest_scale: Tensor
    size: Tensor
    centroids: Tensor
    means: Tensor
    ratios: Tensor

    @classmethod
    def fit(cls, rows: Tensor, components: int, clusters: int, seed: int) -> "ComponentSpace":
        """From training rows (n, genes); at least two components are left to the rest."""
        centre = rows.mean(0)
        _, values, basis = torch.linalg.svd(rows - centre, full_matrices=False)
        scale = (values / math.sqrt(len(rows))).clamp_min(_LEAST)
        kept = max(1, min(components, len(scale) - 2))
        coordinates, rest_basis = (rows - centre) @ basis[:kept].T, basis[kept : kept + MOST_REST]
        centroids = _centroids(coordinates, clusters, seed)
        nearest = torch.cdist(coordinates, centroids).argmin(1)
        along = (rows - centre) @ rest_basis.T
        shares = functional.one_hot(nearest, len(centroids)).to(rows.dtype)
        means = shares.T @ along / (shares.sum(0)[:, None] + _PRIOR_ROWS)
        along = along - means[nearest]
        size = _size(along)
        rest_scale = along.square().mean(0).sqrt().clamp_min(_LEAST)
        return cls(
            centre,
            basis[:kept].contiguous(),
            scale[:kept].contiguous(),
            rest_basis.contiguous(),
            rest_scale / rest_scale.square().mean().sqrt(),
            torch.stack([size.log().mean(), size.log().std().clamp_min(_LEAST)]),
            centroids,
            means,
            _ratios(along / size @ rest_basis, shares),
        )

    @property
    def latents(self) -> int:
        """Width of the latents."""
        return len(self.basis) + 1

    def weights(self, power: float) -> Tensor:
        """(latents,) weights in the loss, of mean 1: variance of the component to a power; the largest for the size."""
        weights = self.scale.square() ** power
        weights = torch.cat([weights, weights[:1]])
        return weights / weights.mean()

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (n, genes) → latents (n, k + 1)."""
        coordinates, along = self._split(rows)
        return torch.cat([coordinates / self.scale, (_size(along).log() - self.size[0]) / self.size[1]], dim=1)

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (n, k) of rows, and their rest about its mean (n, m)."""
        coordinates = (rows - self.centre) @ self.basis.T
        return coordinates, (rows - self.centre) @ self.rest_basis.T - self.means[self._nearest(coordinates)]

    def _nearest(self, coordinates: Tensor) -> Tensor:
        return torch.cdist(coordinates, self.centroids).argmin(1)

    def inverse(self, latents: Tensor, random: torch.Generator) -> Tensor:
        """Latents (n, k + 1) → rows (n, genes); the rest is drawn on the CPU."""
        noise = torch.randn((len(latents), len(self.rest_scale)), generator=random, device="cpu").to(latents.device)
        coordinates = latents[:, :-1] * self.scale
        nearest = self._nearest(coordinates)
        size = (latents[:, -1:].clamp(-5, 5) * self.size[1] + self.size[0]).exp()
        rest = (noise * self.rest_scale * size) @ self.rest_basis * self.ratios[nearest]
        return coordinates @ self.basis + self.centre + rest + self.means[nearest] @ self.rest_basis

    def widened(self, rows: Tensor) -> "ComponentSpace":
        """With the spread of the rest that other rows (n, genes) show, in blocks of 32 components.

        Principal components are fitted to the training rows: others vary more along the last of them.
        """
        _, along = self._split(rows)
        expected = self.rest_scale * (self.size[0] + self.size[1].square()).exp()
        found = along.square().mean(0)
        parts = zip(torch.split(found, _BLOCK), torch.split(expected.square(), _BLOCK), strict=True)
        factors = torch.cat([(f.mean() / e.mean()).sqrt().expand(len(f)) for f, e in parts])
        changed = {field.name: getattr(self, field.name) for field in fields(self)}
        return ComponentSpace(**{**changed, "rest_scale": self.rest_scale * factors})

    def state(self) -> dict[str, Tensor]:
        """Tensors that `restored` takes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class GeneSpace:
    """All genes are diffused as they are.

    Attributes:
        latents: number of genes.
    """

    latents: int

    def weights(self, power: float) -> Tensor:
        """1 for every gene."""
        return torch.ones(self.latents, device="cpu")

    def forward(self, rows: Tensor) -> Tensor:
        """The rows."""
        return rows

    def inverse(self, latents: Tensor, random: torch.Generator) -> Tensor:
        """The latents."""
        return latents

    def widened(self, rows: Tensor) -> "GeneSpace":
        """The same: nothing is drawn beside the latents."""
        return self

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


Space = ComponentSpace | GeneSpace


def restored(tensors: Mapping[str, Tensor], genes: int) -> Space:
    """The inverse of `state`."""
    return ComponentSpace(**tensors) if tensors else GeneSpace(genes)


def _size(along: Tensor) -> Tensor:
    """Root mean squares (n, 1) of rows (n, m)."""
    return along.square().mean(1, keepdim=True).sqrt().clamp_min(_LEAST)


def _centroids(coordinates: Tensor, clusters: int, seed: int) -> Tensor:
    """(clusters, k) by k-means."""
    count = min(clusters, len(coordinates))
    means = KMeans(count, n_init=2, random_state=seed % 2**32).fit(coordinates.double().cpu().numpy())
    return torch.as_tensor(means.cluster_centers_, dtype=coordinates.dtype, device=coordinates.device)


def _ratios(rest: Tensor, shares: Tensor) -> Tensor:
    """Standard deviations of rests of unit size (n, genes) in each cluster over those of all, shrunk by 10 rows."""
    pooled = rest.square().mean(0).clamp_min(_LEAST**2)
    found = shares.T @ rest.square() + _PRIOR_ROWS * pooled
    return (found / (shares.sum(0)[:, None] + _PRIOR_ROWS) / pooled).sqrt()
