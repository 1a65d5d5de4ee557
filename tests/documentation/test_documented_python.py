"""The Python of the README and of "Score your own" runs, block by block, on arrays in the working folder."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/score-your-own.md")

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree")


@pytest.mark.parametrize(("page", "values"), [(PAGES[0], 4), (PAGES[1], 13)])
def test_the_blocks_of_a_page_run_and_print_their_numbers(page: str, values: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, rows in {"train": 90, "validation": 40, "test": 40, "real": 40, "synthetic": 40}.items():
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(rows, 6)) + np.arange(rows)[:, None] % 2)
    for name in ("synthetic_labels", "test_labels"):
        np.save(tmp_path / f"{name}.npy", np.where(np.arange(40) % 2, "one", "two"))
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE))
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall(r"\d\.\d*", ended.stdout)) >= values
