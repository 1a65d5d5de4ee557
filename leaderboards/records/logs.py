"""Training logs of a leaderboard folder: a Parquet table per cell, one row per logged step."""

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.problems import RecordError
from gexbench.tasks.files.input_paths import read_regular

MOST_VALUES = 10**7
"""Rows × columns of a log."""
LARGEST_LOG_BYTES = 2**27
SCORE = "validation_score"
STEP = "step"
KEYS = (STEP, "fold", "seed", "state")


def read_logs(folder: Path, records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Training logs of a leaderboard folder: row → frame with the logs' columns and fold, seed, state.

    A record without a log is left out; so is a row without any. Fits on few patients keep theirs to themselves.

    Args:
        folder: of the leaderboard, with `training/`.
        records: of the leaderboard, in any order.

    Raises:
        RecordError: logs that are no tables of numbers by `step`; it names every one.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    problems = []
    for record in sorted(records, key=lambda record: record.cell):
        path = folder / "training" / f"{Path(record.place).stem}.parquet"
        if record.train_fraction != 1.0 or not path.is_file():
            continue
        try:
            frame = _read(path)
        except ValueError as error:
            problems.append(f"training/{path.name}: no training log ({error}); copy it again or delete it")
            continue
        frame = frame.assign(fold=record.fold.index, seed=record.repeat, state=record.state)
        found.setdefault(record.generator.full_name, []).append(frame)
    if problems:
        raise RecordError(problems)
    return {row: pd.concat(frames, ignore_index=True) for row, frames in found.items()}


def quantities(log: pd.DataFrame) -> list[str]:
    """Names of the quantities that have a value: losses, gradient norms, the validation score."""
    names = [str(name) for name in log.columns if name not in KEYS and log[name].notna().any()]
    return sorted(names, key=lambda name: (name == SCORE, "gradient" in name))


def _read(path: Path) -> pd.DataFrame:
    try:
        with pq.ParquetFile(io.BytesIO(read_regular(path, LARGEST_LOG_BYTES))) as file:
            if (values := file.metadata.num_rows * file.metadata.num_columns) > MOST_VALUES:
                raise ValueError(f"{values:,} values are no log")
            frame = file.read().to_pandas()
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise ValueError(f"it cannot be read: {' '.join(str(error).split())}") from None
    if STEP not in frame.columns:
        raise ValueError(f"no column {STEP}")
    texts = [str(name) for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if texts:
        raise ValueError(f"no numbers in {', '.join(texts)}")
    return frame.astype("float64")
