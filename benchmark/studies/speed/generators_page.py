"""Markdown of the generators' speed; see ``generators``."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gexbench.benchmark.studies.speed.page import digits
from gexbench.leaderboards.formatting import markdown_table
from gexbench.models.cards.parameter_counts import PARAMETERS

Row = Mapping[str, Any]
INTRODUCTION = """# Speed of the generators

For users who plan a sweep, and for developers: training and sampling time of every trained generator.

Measured by `tests/benchmarks/test_generators.py` and `test_gemm_gan_step.py` (`tox -e bench`); `python -m
gexbench.benchmark.studies generators` writes this page. Sizes and settings are those of budget `cpu`; the
data are 1,000 training patients and 680 genes of the simulated cohort. Seconds include waiting for other work on the
machine; CPU-seconds do not.
"""
TRAINING = """## Training

One thread. A step is one update of a generator; for a WGAN-GP it includes the critic updates, each on a fresh
mini-batch. With text and patches, the encoder is trained only during the first steps and the head during all of them.
The step with the encoder and the step of the head alone are measured separately, each as the mean of at least 11 steps
(7 for `gemm-gan-reference`). The whole training is their sum over the budget's steps, without start-up and
checkpoints. Patients are counted as samples in mini-batches. The ratio compares patients per CPU-second with
`{yardstick}`.
"""
WAYS = """## torch.compile and bfloat16 on the CPU

The same step unchanged, with the networks' passes compiled by `torch.compile` (default mode), and with them under
`torch.autocast` in bfloat16; one thread. "First start" is that of the first training in a process, including
compilation by the C++ compiler, and "later start" that of a later one. The step is that of the faster of two trainings.
The whole training covers the budget's steps and the first start. Neither is used for any published row: both change the
bits, and the effect of bfloat16 on sample quality has not been measured.
"""
SAMPLING = """## Sampling

10,000 profiles of 680 genes for 1,000 distinct conditions, 10 draws each; two threads. Each condition is encoded once
(the benchmark counts the samples that pass the encoder). The limit is 10 s: the benchmark fails if both seconds and
CPU-seconds exceed it, because on free cores seconds do not exceed CPU-seconds. On an overloaded machine the two threads
wait for each other, which costs CPU-seconds too, so a row above the limit has to be measured again there.
"""
STEPS = """## Sampling steps of label diffusion

`diffusion-label` after full training, with DPM-Solver++: time for 10,000 profiles on two threads as above, and quality
of samples for the validation patients (support metrics in gene space, detection by XGBoost, where 0.5 is best). The
default is 20 steps.
"""
STEP = """## The step of GeMM-GAN

Five critic updates and one generator update, beside the plain formulation (torch's own modules, every condition
recomputed at each use), measured in the same run. A test checks that the gradients of both agree to 1e-10.
"""
WITHOUT_GPU = """## On a GPU

Not measured, as no GPU was available. The same benchmarks run there with `-m gpu`. What is known without one: no step
of any trained generator reads a value back to the host between checkpoints, so a GPU never has to wait (a test counts
such reads, including those of backward passes). The progress display reads the loss at most every 0.3 s. Training
uses float32 and deterministic kernels. Mixed precision, TF32, `torch.compile` and CUDA graphs are not offered: their
benefit has not been measured, nor has the target of five times the speed of the plain formulation.
"""
_KINDS: Mapping[str, str] = {
    "training": "training",
    "way": "`torch.compile` and bfloat16",
    "sampling": "sampling",
    "sampling steps": "the sampling steps of label diffusion, with their quality",
    "step": "the step of GeMM-GAN beside the plain formulation",
}
_YARDSTICK, _USUAL = "wgan-gp-label", "as it is"
_SHOWN: Mapping[str, str] = {_USUAL: "unchanged"}


def speed_page(machine: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The page: the machine, and a section for every kind of measurement that there is.

    Args:
        machine: processor, cores, memory_gib, torch.
        rows: fields of `generators.Measurement`.
    """
    memory = machine["memory_gib"]
    place = f"Machine: {machine['processor']}, {machine['cores']} cores, {memory} GiB; torch {machine['torch']}."
    loads = [row["figures"]["load"] for row in rows]
    busy = (
        f"Load average during the measurement: {min(loads):.1f} to {max(loads):.1f}, including the measured process.\n"
        "A load above the number of cores means that other work was running: rely on CPU-seconds then, not on seconds."
    )
    parts = [INTRODUCTION, f"{place} {busy}"]
    order = {name: number for number, name in enumerate(PARAMETERS)}
    for device in ("cpu", "cuda"):
        mine = [row for row in rows if row["device"] == device]
        mine.sort(key=lambda row: order.get(row["generator"], len(order)))
        for kind, section in _SECTIONS.items():
            of_kind = [row for row in mine if row["kind"] == kind]
            if of_kind:
                text = section(of_kind)
                parts.append(text if device == "cpu" else text.replace("\n", " on a GPU\n", 1))
    if all(row["device"] == "cpu" for row in rows):
        parts.append(WITHOUT_GPU)
    if missing := _missing([row for row in rows if row["device"] == "cpu"]):
        parts.append(f"## Not measured here\n\n{missing}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _missing(rows: Sequence[Row]) -> str:
    """What the benchmarks measure on a CPU and these rows lack."""
    lines = []
    for kind, what in _KINDS.items():
        found = {row["generator"] for row in rows if row["kind"] == kind}
        lacking = [f"`{name}`" for name in PARAMETERS if name not in found] if kind in ("training", "sampling") else []
        if not found:
            lines.append(f"- {what}")
        elif lacking:
            lines.append(f"- {what}: {', '.join(lacking)}")
    return "\n".join(lines)


def _training(rows: Sequence[Row]) -> str:
    heads = ("generator", "batch", "steps with the encoder", "of the head alone", "step, CPU-ms", "head alone, CPU-ms",
             "whole training, CPU-s", "steps per CPU-s", "patients per CPU-s", "ratio")  # fmt: skip
    rates = {row["generator"]: _patients_per_cpu_s(row["figures"]) for row in rows}
    lines = []
    for row in rows:
        name, found = row["generator"], row["figures"]
        joint, alone = int(found["steps"] - found["steps_alone"]), int(found["steps_alone"])
        ratio = rates[name] / rates[_YARDSTICK] if _YARDSTICK in rates else math.nan
        whole = found["training_cpu_s"]
        lines.append([
            name, f"{found['batch']:.0f}", f"{joint:,}", f"{alone:,}", digits(found["joint_cpu_ms"]),
            digits(found.get("alone_cpu_ms", math.nan)), digits(whole), digits(found["steps"] / whole),
            digits(rates[name]), digits(ratio),
        ])  # fmt: skip
    return TRAINING.format(yardstick=_YARDSTICK) + "\n" + markdown_table(heads, lines, 1)


def _patients_per_cpu_s(found: Mapping[str, float]) -> float:
    return found["patients_per_s"] * found["training_s"] / found["training_cpu_s"]


def _ways(rows: Sequence[Row]) -> str:
    heads = ("generator", "step", "CPU-ms", "relative to unchanged", "first start, CPU-s", "later start, CPU-s",
             "whole training, CPU-s")  # fmt: skip
    usual = {row["generator"]: row["figures"] for row in rows if row["variant"] == _USUAL}
    lines, cheaper = [], dict.fromkeys((row["variant"] for row in rows if row["variant"] != _USUAL), 0)
    for row in rows:
        found = row["figures"]
        of_usual, whole = usual.get(row["generator"]), _whole(found)
        ratio = of_usual["step_cpu_ms"] / found["step_cpu_ms"] if of_usual else math.nan
        if of_usual and row["variant"] in cheaper:
            cheaper[row["variant"]] += whole < _whole(of_usual)
        lines.append([
            row["generator"], _SHOWN.get(row["variant"], row["variant"]), digits(found["step_cpu_ms"]),
            f"{digits(ratio)} times as fast", digits(found["first_start_cpu_s"]), digits(found["later_start_cpu_s"]),
            digits(whole),
        ])  # fmt: skip
    said = [
        f"With {way} passes, {count} of {sum(row['variant'] == way for row in rows)} whole trainings take fewer "
        "CPU-seconds than unchanged."
        for way, count in cheaper.items()
    ]
    return WAYS + "\n" + markdown_table(heads, lines, 2) + "\n\n" + " ".join(said)


def _whole(found: Mapping[str, float]) -> float:
    """CPU-seconds of the budget's steps, with the start of a first training."""
    return found["first_start_cpu_s"] + found["steps"] * found["step_cpu_ms"] / 1e3


def _sampling(rows: Sequence[Row]) -> str:
    heads = ("generator", "seconds", "CPU-seconds", "profiles per CPU-second")
    lines = [
        [row["generator"], *(digits(row["figures"][name]) for name in ("seconds", "cpu_s", "profiles_per_cpu_s"))]
        for row in rows
    ]
    return SAMPLING + "\n" + markdown_table(heads, lines, 1)


def _steps(rows: Sequence[Row]) -> str:
    names = ("recall", "coverage", "precision", "detection_auc_xgb")
    heads = (
        "sampling steps",
        "seconds",
        "CPU-seconds",
        "recall ↑",
        "coverage ↑",
        "precision →",
        "detection AUC (XGB) ↓",
    )
    ordered = sorted(rows, key=lambda row: int(row["variant"]))
    lines = [
        [
            row["variant"],
            *(digits(row["figures"][name]) for name in ("seconds", "cpu_s")),
            *(f"{row['figures'][name]:.3f}" for name in names),
        ]
        for row in ordered
    ]
    return STEPS + "\n" + markdown_table(heads, lines, 0)


def _step(rows: Sequence[Row]) -> str:
    heads = ("shape", "threads", "step, CPU-s", "plain formulation, CPU-s", "times as fast", "by seconds")
    lines = [
        [
            row["variant"],
            f"{row['figures']['threads']:.0f}",
            *(digits(row["figures"][name]) for name in ("fast_cpu_s", "plain_cpu_s", "speed_up_cpu", "speed_up")),
        ]
        for row in rows
    ]
    return STEP + "\n" + markdown_table(heads, lines, 1)


_SECTIONS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "training": _training,
    "way": _ways,
    "sampling": _sampling,
    "sampling steps": _steps,
    "step": _step,
}
