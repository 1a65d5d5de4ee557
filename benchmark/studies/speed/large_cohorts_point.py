"""One point of ``large_cohorts``: a part of the work on a generated cohort of one size, in this process.

Run as ``python -m gexbench.benchmark.studies.speed.large_cohorts_point PART PATIENTS GENES PATCHES FOLDER``; prints
lines of JSON, the last of which holds the figures.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.benchmark.studies.speed.resident_memory import Resident
from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.cohorts.cohort_folder import read_cohort, save_cohort
from gexbench.tasks.cohorts.dealing import assign_parts
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.units import Unit

WIDTH, TOKENS, TOKEN_WIDTH, CLASSES, FACTORS, DRAWS = 1024, 64, 384, 32, 30, 19
STEPS = 2
LEAST_OF_CLASS = 30
"""Patients of a class; classes of fewer than 25 take no part in classification."""
_SEED, _CHUNK, _POOL = 7, 1000, 65_536
Figures = dict[str, Any]
Say = Callable[[str], None]


def make_cohort(patients: int, genes: int, patches: int, folder: Path) -> None:
    """Write a generated cohort: classes, a low rank and noise; float16 patches of width 1,024 and tokens.

    The patches repeat a block of random rows, since their values have no bearing on time; on the disk they are whole.
    """
    random = np.random.default_rng(_SEED)
    codes = np.arange(patients) % min(CLASSES, patients // LEAST_OF_CLASS)
    samples = np.array([f"P{row:06d}" for row in range(patients)])
    clinical = pd.DataFrame({"project": [f"class {code:02d}" for code in codes]}, index=samples)
    parts = assign_parts(pd.Series(samples, index=samples), clinical["project"])
    raw = folder.with_name(f"{folder.name}-patches.npy")
    cohort = Cohort(
        name=folder.name,
        unit=Unit("log2(tpm+1)"),
        expression=_expression(random, codes, genes),
        genes=tuple(f"G{gene:05d}" for gene in range(genes)),
        samples=samples,
        groups=samples,
        clinical=clinical.join(parts),
        label_columns=("project",),
        patches=_patches(random, patients, patches, raw) if patches else None,
        text={"full": _tokens(random, patients)} if patches else {},
        site_column=None,
        provenance={"kind": "generated"},
    )
    save_cohort(cohort, folder)
    raw.unlink(missing_ok=True)


def _expression(random: np.random.Generator, codes: NDArray[np.intp], genes: int) -> NDArray[np.float32]:
    means = (random.gamma(4, 1.2, (1, genes)) + random.normal(0, 0.8, (CLASSES, genes))).astype(np.float32)
    loadings = random.normal(0, 0.4, (FACTORS, genes)).astype(np.float32)
    rows = np.empty((len(codes), genes), dtype=np.float32)
    for start in range(0, len(codes), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(codes)))
        size = part.stop - part.start
        factors = random.standard_normal((size, FACTORS), dtype=np.float32)
        noise = random.standard_normal((size, genes), dtype=np.float32)
        rows[part] = np.maximum(means[codes[part]] + factors @ loadings + 0.6 * noise, 0)
    return rows


def _patches(random: np.random.Generator, patients: int, patches: int, path: Path) -> Ragged:
    pool = random.standard_normal((_POOL, WIDTH), dtype=np.float32).astype(np.float16)
    total = patients * patches
    held = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(total, WIDTH))
    for start in range(0, total, _POOL):
        stop = min(start + _POOL, total)
        held[start:stop] = np.roll(pool, start // _POOL, axis=1)[: stop - start]
    held.flush()
    del held
    read = np.load(path, mmap_mode="r", allow_pickle=False)
    return Ragged(read, np.arange(patients + 1, dtype=np.int64) * patches)


def _tokens(random: np.random.Generator, patients: int) -> Ragged:
    values = random.standard_normal((patients * TOKENS, TOKEN_WIDTH), dtype=np.float32).astype(np.float16)
    return Ragged(values, np.arange(patients + 1, dtype=np.int64) * TOKENS)


def measure_training(folder: Path, say: Say) -> Figures:
    """Reading the cohort, a step of GeMM-GAN (budget full), and the data path of an epoch: file cold, warm, held."""
    from gexbench.tasks.cohorts.device_fold import put_on_device

    figures: Figures = {}
    with Resident() as resident:
        figures["read_s"], _, cohort = _timed(lambda: read_cohort(folder))
        figures["patch_bytes"] = cohort.patches.values.nbytes if cohort.patches is not None else 0
        say("cohort read")
        fold = put_on_device(cohort, folds(cohort)[0], fingerprint="generated", patches="streamed")
        cohort = replace(cohort, expression=cohort.expression[:, :0], genes=())
        step, paths = _work(fold)
        step()
        spent = []
        for _ in range(STEPS):
            spent.append(_timed(step)[:2])
            say(f"step in {spent[-1][0]:.1f} s, {spent[-1][1]:.1f} CPU-s")
        figures["step_s"], figures["step_cpu_s"] = (float(np.median(each)) for each in zip(*spent, strict=True))
        for name in ("cold", "warm"):
            if name == "cold":
                _forget(folder / "patches.npz")
            figures[f"epoch_{name}_s"], figures[f"epoch_{name}_cpu_s"], _ = _timed(paths)
            say(f"data path of an epoch, {name}: {figures[f'epoch_{name}_s']:.1f} s")
    figures["memory_bytes"] = resident.growth
    figures |= _per_step(fold, figures)
    figures["threads"] = _threads()
    return figures


def _work(fold: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step of GeMM-GAN's standard training, and the reading of all mini-batches of an epoch."""
    import torch

    from gexbench.models import registry
    from gexbench.models.conditioning.conditioner import Conditioner
    from gexbench.models.conditioning.drawn import Encoded
    from gexbench.models.registry import resolve_settings
    from gexbench.models.training.averaging import AveragedWeights
    from gexbench.models.training.run import TrainingRun
    from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator
    from gexbench.models.wgan_gp.settings import WganGpSettings
    from gexbench.models.wgan_gp.training import Training, _standard_step

    settings = resolve_settings(registry()["gemm-gan"], "full")
    if not isinstance(settings, WganGpSettings):
        raise TypeError("gemm-gan has other settings than a WGAN-GP's")
    conditioner, train = Conditioner.of(fold.train, settings), fold.train
    reader, genes = conditioner.reader(train.conditions), len(train.genes)
    torch.manual_seed(_SEED)
    generator = ConditionalGenerator(settings, conditioner.sizes, genes)
    critic = ConditionalCritic(settings, conditioner.sizes, genes)
    random = torch.Generator().manual_seed(_SEED)
    run = TrainingRun(1, checkpoints=0, score=float, keep=lambda: None, progress=lambda *_, **__: None)
    weights = AveragedWeights(generator, settings.ema)
    training = Training(generator, critic, train.standardised, reader, settings, random, weights, run)
    optimisers = tuple(torch.optim.Adam(each.parameters(), fused=True) for each in (generator, critic))
    conditions = Encoded(reader, [generator.encoder, critic.encoder], random)
    trained: list[torch.Tensor] = list(generator.parameters())

    def epoch() -> None:
        for index in torch.split(torch.randperm(len(train), generator=random), settings.batch):
            reader.batch(index, random)

    return lambda: _standard_step(training, conditions, optimisers, trained), epoch


def _per_step(fold: Any, figures: Figures) -> Figures:
    """Data path of one step, which reads a mini-batch for every critic update, as a share of the step.

    Cold by wall-clock time, which the disk is part of; warm by CPU-seconds, which other work does not change.
    """
    from gexbench.models import registry
    from gexbench.models.registry import resolve_settings

    settings: Any = resolve_settings(registry()["gemm-gan"], "full")
    batches = -(-len(fold.train) // settings.batch)
    found = {"batch": settings.batch, "critic_steps": settings.critic_steps, "batches_per_epoch": batches}
    for name, kind in (("cold", "s"), ("warm", "cpu_s")):
        of_step = figures[f"epoch_{name}_{kind}"] / batches * settings.critic_steps
        found[f"share_{name}"] = of_step / figures[f"step_{kind}"]
    return found


def measure_panel(folder: Path, say: Say) -> Figures:
    """The core panel of one generator: the shared work of the fold, and every metric on rows of the same kind."""
    from gexbench.benchmark.cells.scoring import real_fold
    from gexbench.tasks.panel.declarations.rows import SyntheticRows
    from gexbench.tasks.panel.evaluation import evaluate
    from gexbench.tasks.panel.preparation import prepare

    cohort = read_cohort(folder, verify=False)
    real = real_fold(cohort, folds(cohort)[0])
    random = np.random.default_rng(_SEED)
    labels = real.labels["project"]._asdict()
    codes = {part: np.unique(labels[part], return_inverse=True)[1] for part in ("train", "test")}
    synthetic = SyntheticRows(
        test=_shaken(real.test, random),
        train=_shaken(real.train, random),
        paired=_draws(real.train, codes, random),
    )
    del cohort
    figures: Figures = {}
    with Resident() as resident:
        figures["prepare_s"], figures["prepare_cpu_s"], prepared = _timed(lambda: prepare(real, seed=0))
        say(f"shared work of the fold in {figures['prepare_s']:.0f} s")
        done = {"step": time.perf_counter()}

        def progress(step: int, steps: int) -> None:
            say(f"metrics: {step} of {steps} steps, the last in {time.perf_counter() - done['step']:.0f} s")
            done["step"] = time.perf_counter()

        figures["panel_s"], figures["panel_cpu_s"], result = _timed(
            lambda: evaluate(prepared, synthetic, progress=progress)
        )
    figures["memory_bytes"] = resident.growth
    figures["cpu_seconds_by_step"] = {name: round(spent, 2) for name, spent in result.seconds.items()}
    figures["notes"] = list(result.notes)
    figures["threads"] = _threads()
    figures["without_value"] = {key: found.reason for key, found in result.values.items() if found.value is None}
    return figures


def _threads() -> int:
    """Threads of a process's numerical libraries, as torch reads them from the machine and OMP_NUM_THREADS."""
    import torch

    return torch.get_num_threads()


def _shaken(rows: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Each row moved by normal noise, in place of a generator's."""
    made = np.empty_like(rows)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        made[start : start + _CHUNK] = np.maximum(part + random.standard_normal(part.shape, dtype=np.float32), 0)
    return made


def _draws(
    train: NDArray[np.float32], codes: dict[str, NDArray[np.intp]], random: np.random.Generator
) -> NDArray[np.float16]:
    """Training rows of each test patient's class, (n_test, 19, genes)."""
    made = np.empty((len(codes["test"]), DRAWS, train.shape[1]), dtype=np.float16)
    for row, code in enumerate(codes["test"]):
        made[row] = train[random.choice(np.flatnonzero(codes["train"] == code), DRAWS)]
    return made


def _forget(path: Path) -> None:
    """Drop a file's pages from the system's cache, so that the next read comes from the disk."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall-clock seconds, CPU-seconds, and what was made."""
    start, cpu = time.perf_counter(), time.process_time()
    made = work()
    return time.perf_counter() - start, time.process_time() - cpu, made


def main(part: str, patients: int, genes: int, patches: int, folder: Path) -> None:
    """Make the cohort where it is not there, measure, print."""

    def say(text: str) -> None:
        print(json.dumps({"reached": text}), flush=True)

    if not folder.exists():
        make_cohort(patients, genes, patches, folder)
        say("cohort made")
    start, cpu = time.perf_counter(), time.process_time()
    figures = measure_training(folder, say) if part == "training" else measure_panel(folder, say)
    figures |= {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({"figures": figures}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
