"""Peak memory and time of `gexbench cohort build --from-public` on generated genome-wide files.

    python tests/tasks/public/public_growth.py FOLDER --layout xena --genes 20000 --samples 500 1000 2000

Each build runs in a process of its own; the last line gives the slope and what 10,000 samples would take. Of GDC files
only the first --distinct differ; the others are hard links to them under names of their own, so that the files of
10,000 samples need little room. They are read from the system's cache.
"""

import argparse
import json
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


def link_gdc(folder: Path, names: list[str], made: list[dict[str, object]]) -> list[dict[str, object]]:
    """Hits of the samples of `names` from the hits of the first of them; the files of the others are hard links."""
    hits = []
    for row, name in enumerate(names):
        like = made[row % len(made)]
        if row < len(made):
            hits.append(like)
            continue
        key, file = (public_layouts.identifier(kind, f"{name}-01A") for kind in ("file", "star"))
        file = f"{file}.rna_seq.augmented_star_gene_counts.tsv"
        (folder / key).mkdir()
        (folder / key / file).hardlink_to(folder / str(like["id"]) / str(like["file_name"]))
        entity = {"entity_submitter_id": f"{name}-01A-11R-{public_layouts.PLATE}-{public_layouts.CENTER}"}
        hits.append({**like, "id": key, "file_id": key, "file_name": file, "associated_entities": [entity]})
    return hits


def write(folder: Path, layout: str, patients: int, genes: int, distinct: int) -> None:
    """Files of one size."""
    names = [f"TCGA-{row % 50:02d}-{row:04X}" for row in range(patients)]
    clinical = pd.DataFrame({"project": [PROJECTS[row % 4] for row in range(patients)]}, index=names)
    if layout == "xena":
        folder.mkdir(parents=True)
        write_matrix(folder / "HiSeqV2", [f"{name}-01" for name in names], genes)
        public_layouts.write_xena_phenotypes(folder / "phenotypes.tsv", clinical)
    else:
        own = names[:distinct]
        drawn = np.random.default_rng(0).gamma(2, 2, (len(own), genes)).clip(max=15).astype(np.float32)
        values = pd.DataFrame(drawn, [f"{name}-01A" for name in own], [f"GENE{row}" for row in range(genes)])
        made = public_layouts.write_gdc(folder, values, clinical, ())
        hits = link_gdc(folder, names, made)
        (folder / "files.json").write_text(json.dumps(public_layouts.response(hits)))


def measured(folder: Path, data: Path) -> tuple[float, float, float]:
    """Seconds, CPU-seconds and peak resident memory (GB) of one build."""
    code = "import sys; from gexbench.benchmark.cli import main; sys.argv = ['gexbench', *sys.argv[1:]]; main()"
    words = ["cohort", "build", "wide", "--from-public", str(folder), "--text-encoder", "none", "--force"]
    began = time.monotonic()
    environment = {**os.environ, "GEXBENCH_DATA": str(data)}
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the build failed")
    scale = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e9


def main() -> None:
    """Write, build and measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layout", choices=("xena", "gdc"), default="xena")
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--samples", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--distinct", type=int, default=200, help="GDC files that differ (200)")
    given = parser.parse_args()
    peaks, seconds = [], []
    for patients in given.samples:
        place = given.folder / f"{given.layout}-{patients}"
        if not place.exists():
            write(place, given.layout, patients, given.genes, given.distinct)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 1e9
        took, spent, peak = measured(place, given.folder / "data")
        peaks.append(peak)
        seconds.append(spent)
        files = f"{given.layout} {patients:,} × {given.genes:,}: {size:.2f} GB of files"
        print(f"{files}, {spent:.0f} CPU-s ({took:.0f} s), peak {peak:.2f} GB", flush=True)
        shutil.rmtree(place)
    if len(peaks) > 1:
        memory, pace = (np.polyfit(given.samples, figures, 1) for figures in (peaks, seconds))
        most, minutes = np.polyval(memory, TARGET), np.polyval(pace, TARGET) / 60
        print(f"per 1,000 samples {memory[0] * 1000:.2f} GB and {pace[0] * 1000:.0f} CPU-s")
        print(f"{TARGET:,} samples by this line: {most:.1f} GB, {minutes:.0f} CPU-minutes")


if __name__ == "__main__":
    main()
