"""The data of a patient that a generator may see: labels, text tokens and image patches, as tensors on one device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.cohorts.mapped_files import is_mapped, release
from gexbench.tasks.cohorts.mapped_rows import MappedRows


@dataclass(frozen=True, slots=True, eq=False)
class RaggedTensor:
    """`Ragged` for a device: values (total, width) float16 or float32; starts and counts (n,) int64 on the device.

    The rows of patient i are values[starts[i] : starts[i] + counts[i]]. The values are held on the device, or stay in a
    mapped file that is read row by row; both behave alike.
    """

    values: Tensor | MappedRows
    starts: Tensor
    counts: Tensor

    @classmethod
    def of(
        cls, ragged: Ragged, device: torch.device, *, order: NDArray[np.intp] | None = None, held: bool = True
    ) -> "RaggedTensor":
        """Copy a ragged array to the device, its patients in an order; unless `held`, the values stay where they are.

        The order moves no values, only starts and counts.
        """
        chosen = slice(None) if order is None else order
        places = [torch.from_numpy(each[chosen]).to(device) for each in (ragged.offsets[:-1], ragged.counts)]
        if not held:
            return cls(MappedRows(ragged.values, device), *places)
        if not is_mapped(ragged.values):
            return cls(torch.from_numpy(ragged.values).to(device), *places)
        values = torch.from_numpy(np.array(ragged.values, subok=False)).to(device)
        release(ragged.values)
        return cls(values, *places)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def held(self) -> bool:
        """Whether the values are held on the device."""
        return isinstance(self.values, Tensor)

    def rows(self, index: Tensor) -> Tensor:
        """Values at `index`, int64 of any shape on the device → (*index.shape, width) float32 on the device."""
        if not len(self.values):
            return torch.zeros((*index.shape, self.width), device=self.counts.device)
        return self.values[index].float()

    @property
    def width(self) -> int:
        """Width of one row."""
        return int(self.values.shape[1])

    def padded(
        self, patients: Tensor, most: int | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Rows of the given patients, padded with zeros.

        Args:
            patients: (B,) int64 indices.
            most: largest number of rows per patient; None for all.
            generator: draw `most` rows at random, without replacement, with this generator (on the CPU or on
                the tensors' device); None takes the first `most`, which is the seeded draw of evaluation.

        Returns:
            values (B, R, width) float32 and mask (B, R) bool, True where padded.
        """
        start, counts = self.starts[patients], self.counts[patients]
        longest = max(int(counts.max()) if len(counts) else 0, 1)
        kept = longest if most is None else min(most, longest)
        if generator is not None and kept < longest:
            priority = torch.rand((len(patients), longest), generator=generator, device=generator.device)
            priority = priority.to(start.device)
            columns = torch.arange(longest, device=start.device)
            priority = priority.masked_fill(columns >= counts[:, None], 2.0)
            order = priority.argsort(dim=1)[:, :kept]
        else:
            order = torch.arange(kept, device=start.device).expand(len(patients), kept)
        mask = torch.arange(kept, device=start.device) >= counts[:, None]
        rows = torch.where(mask, 0, start[:, None] + order)
        return self.rows(rows).masked_fill(mask[..., None], 0.0), mask


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Conditions of n patients.

    Attributes:
        ids: (n,) one for each patient, the same within a fold; they say nothing else.
        label_columns: label columns, finest first.
        classes: label column → its class names; a code indexes them.
        labels: (n, columns) int64 codes on the device.
        text: variant → token embeddings of the whole cohort on the device (shared, not copied by `take`).
        patches: patch embeddings of the whole cohort, on the device or in their file, or None.
        rows: (n,) int64, each patient's row in `text` and `patches`.
    """

    ids: NDArray[np.str_]
    label_columns: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    labels: Tensor
    text: Mapping[str, RaggedTensor]
    patches: RaggedTensor | None
    rows: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """The device of every tensor."""
        return self.labels.device

    def codes(self, column: str) -> Tensor:
        """(n,) int64 codes of one label column."""
        return self.labels[:, self.label_columns.index(column)]

    @property
    def finest(self) -> Tensor:
        """(n,) int64 codes of the finest label."""
        return self.labels[:, 0]

    def names(self, column: str) -> NDArray[np.str_]:
        """(n,) class names of one label column."""
        names: NDArray[np.str_] = np.asarray(self.classes[column], dtype=str)
        return np.asarray(names[self.codes(column).cpu().numpy()])

    def take(self, rows: Tensor | NDArray[np.intp] | Sequence[int]) -> "Conditions":
        """Conditions of the given patients, in their order; the large tensors are shared."""
        index = torch.as_tensor(rows, dtype=torch.int64, device=self.device)
        return Conditions(
            ids=self.ids[index.cpu().numpy()],
            label_columns=self.label_columns,
            classes=self.classes,
            labels=self.labels[index],
            text=self.text,
            patches=self.patches,
            rows=self.rows[index],
        )

    def has(self, kind: str) -> bool:
        """Whether a kind of condition (`labels`, `text`, `patches`) is there at all."""
        return {"labels": True, "text": bool(self.text), "patches": self.patches is not None}[kind]

    def text_tokens(self, variant: str, most: int | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (n, T, d) float32 and mask (n, T), True = ignore; token 0 is the summary."""
        return self.text[variant].padded(self.rows, most)

    def image_patches(self, most: int | None = None, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Patches (n, P, d) float32 and mask (n, P), True = ignore; see `RaggedTensor.padded`."""
        if self.patches is None:
            raise ValueError("these conditions hold no patches")
        return self.patches.padded(self.rows, most, generator)
