"""Readers of files that others make, each with a whole file of its kind and the errors that it may raise."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from gexbench.benchmark.storage.sealed import Broken, sealed, unsealed
from gexbench.benchmark.sweeps.reading import checked, given_specification
from gexbench.benchmark.sweeps.tuned import read_tuning_file
from gexbench.leaderboards.records import RecordError, read_record
from gexbench.leaderboards.records.logs import _read as read_log
from gexbench.models import registry
from gexbench.tasks.cards.published_card import read_card
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import read_regular
from gexbench.tasks.files.npz_files import read_npz
from gexbench.tasks.files.reading import read_expression
from gexbench.tasks.panel.gene_sets import GeneSetsError, read_gene_sets
from gexbench.tasks.public.selection import read_recipe

PUBLISHED = Path(__file__).resolve().parents[2] / "leaderboards" / "published"
KEY = "0" * 64


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Attributes:
        suffix: of its name; content: of a whole one.
        read: raises one of `refusals` for any other.
    """

    suffix: str
    content: bytes
    read: Callable[[Path], Any]
    refusals: tuple[type[Exception], ...] = (InputError,)


def readers(folder: Path) -> dict[str, Reader]:
    """Kind of file → its reader; whole files are written in `folder` first."""
    record = next(iter(sorted((PUBLISHED / "tcga").glob("*/records/*.json"))))
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), index=[f"P{at}" for at in range(4)], columns=["A", "B", "C"])
    frame.to_csv(folder / "whole.csv")
    frame.to_parquet(folder / "whole.parquet")
    pd.DataFrame({"step": [1.0, 2.0], "loss": [0.5, 0.25]}).to_parquet(folder / "log.parquet")
    anndata.AnnData(frame.astype("float32")).write_h5ad(folder / "whole.h5ad")
    np.savez(folder / "whole.npz", x=np.ones((2, 3)))
    return {
        "record": Reader(".json", record.read_bytes(), read_record, (RecordError,)),
        "specification": Reader(
            ".yaml", b"budget: quick\ngenerators: [cvae]\nfolds: [0]\n",
            lambda path: checked(given_specification(str(path)), {}, registry()),
        ),
        "card": Reader(".json", _card(), read_card),
        "recipe": Reader(".json", json.dumps({"genes": ["A", "B"]}).encode(), lambda path: read_recipe(str(path))),
        "tuned settings": Reader(
            ".json", (PUBLISHED.parent / "tuned" / "tcga-cpu.json").read_bytes(), read_tuning_file
        ),
        "gene sets": Reader(".gmt", b"SET\tabout\tA\tB\nOTHER\tabout\tB\tC\n", read_gene_sets, (GeneSetsError,)),
        "store entry": Reader(
            ".json", sealed({"a": [1.5, "x"]}, KEY).encode(),
            lambda path: unsealed(read_regular(path), KEY), (OSError, Broken),
        ),
        "csv": Reader(".csv", (folder / "whole.csv").read_bytes(), read_expression),
        "parquet": Reader(".parquet", (folder / "whole.parquet").read_bytes(), read_expression),
        "log": Reader(".parquet", (folder / "log.parquet").read_bytes(), read_log, (ValueError,)),
        "h5ad": Reader(".h5ad", (folder / "whole.h5ad").read_bytes(), read_expression),
        "npz": Reader(".npz", (folder / "whole.npz").read_bytes(), lambda path: read_npz(path, ["x"])),
    }  # fmt: skip


def _card() -> bytes:
    from importlib import resources

    from gexbench.tasks.cards.published_card import published_cards

    name = published_cards()[0]
    return (resources.files("gexbench.tasks.public") / "cards" / f"{name}.json").read_bytes()


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return readers(tmp_path_factory.mktemp("whole"))


def digest(content: bytes) -> str:
    """A name for a content."""
    return hashlib.sha256(content).hexdigest()[:16]
