"""Peak memory and time of `gexbench cohort build --from-public` on generated genome-wide files.

    python tests/public_growth.py FOLDER --layout xena --genes 20000 --samples 500 1000 2000

Each build runs in a process of its own; the last line gives the slope and what 10,000 samples would take.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import public_layouts

PROJECTS = ("BRCA", "LUAD", "GBM", "KIRC")
TARGET = 10_000


def write_matrix(path: Path, samples: list[str], genes: int) -> None:
    """A plain-text matrix, a block of genes at a time."""
    import pyarrow as pa
    from pyarrow import csv

    generator = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(("sample\t" + "\t".join(samples) + "\n").encode())
        options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        for start in range(0, genes, 500):
            number = min(500, genes - start)
            drawn = np.round(generator.gamma(2, 2, (number, len(samples))), 4).astype(np.float32)
            names = pa.array([f"GENE{start + row}" for row in range(number)])
            columns = [names, *(pa.array(drawn[:, column]) for column in range(len(samples)))]
            csv.write_csv(pa.table(columns, names=["g", *samples]), file, options)


def write(folder: Path, layout: str, patients: int, genes: int) -> None:
    """Files of one size."""
    names = [f"TCGA-{row % 50:02d}-{row:04X}" for row in range(patients)]
    clinical = pd.DataFrame({"project": [PROJECTS[row % 4] for row in range(patients)]}, index=names)
    if layout == "xena":
        folder.mkdir(parents=True)
        write_matrix(folder / "HiSeqV2", [f"{name}-01" for name in names], genes)
        public_layouts.write_xena_phenotypes(folder / "phenotypes.tsv", clinical)
    else:
        drawn = np.random.default_rng(0).gamma(2, 2, (patients, genes)).clip(max=15).astype(np.float32)
        values = pd.DataFrame(drawn, [f"{name}-01A" for name in names], [f"GENE{row}" for row in range(genes)])
        public_layouts.write_gdc(folder, values, clinical, ("sheet", "manifest"))


def measured(folder: Path, data: Path) -> tuple[float, float]:
    """Seconds and peak resident memory (GB) of one build."""
    code = "import sys; from gexbench.benchmark.cli import main; sys.argv = ['gexbench', *sys.argv[1:]]; main()"
    words = ["cohort", "build", "wide", "--from-public", str(folder), "--text-encoder", "none", "--force"]
    began = time.monotonic()
    environment = {**os.environ, "GEXBENCH_DATA": str(data)}
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the build failed")
    scale = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - began, usage.ru_maxrss * scale / 1e9


def main() -> None:
    """Write, build and measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layout", choices=("xena", "gdc"), default="xena")
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--samples", type=int, nargs="+", default=[500, 1000, 2000])
    given = parser.parse_args()
    peaks, seconds = [], []
    for patients in given.samples:
        place = given.folder / f"{given.layout}-{patients}"
        if not place.exists():
            write(place, given.layout, patients, given.genes)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 1e9
        took, peak = measured(place, given.folder / "data")
        peaks.append(peak)
        seconds.append(took)
        files = f"{given.layout} {patients:,} × {given.genes:,}: {size:.2f} GB of files"
        print(f"{files}, {took:.0f} s, peak {peak:.2f} GB", flush=True)
        shutil.rmtree(place)
    if len(peaks) > 1:
        memory, pace = (np.polyfit(given.samples, figures, 1) for figures in (peaks, seconds))
        most, minutes = np.polyval(memory, TARGET), np.polyval(pace, TARGET) / 60
        print(f"per 1,000 samples {memory[0] * 1000:.2f} GB and {pace[0] * 1000:.0f} s")
        print(f"{TARGET:,} samples by this line: {most:.1f} GB, {minutes:.0f} min")


if __name__ == "__main__":
    main()
