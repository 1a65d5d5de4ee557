"""Markdown of the generators' speed; see ``generators``."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gexbench.benchmark.studies.speed.page import digits
from gexbench.leaderboards.formatting import markdown_table
from gexbench.models.cards.parameter_counts import PARAMETERS

Row = Mapping[str, Any]
INTRODUCTION = """# Speed of the generators

Measured by `tests/benchmarks/test_generators.py` and `test_gemm_gan_step.py` (`tox -e bench`); the page is made by
`python -m gexbench.benchmark.studies generators`. Sizes and settings are those of budget `cpu`, the data
1,000 training patients and 680 genes of the simulated cohort. CPU-seconds do not wait for other work on the
machine, seconds do.
"""
TRAINING = """## Training

One thread. A step is one update of a generator: for a WGAN-GP with its critic updates, each on a fresh mini-batch. With
text and patches the encoder is trained over the first steps alone and the head over all: the step with the encoder and
the step of the head alone are measured apart, each as the mean of at least 11 steps (of 7 for `gemm-gan-reference`).
The whole training is their sum over the budget's steps, without start and checkpoints.
Patients are rows of mini-batches. The ratio is that of patients per CPU-second to `{yardstick}`.
"""
WAYS = """## torch.compile and bfloat16 on the CPU

The same step as it is, with the networks' passes compiled by `torch.compile` (its default mode), and with them under
`torch.autocast` in bfloat16; one thread. The start is that of the first training in a process, compilation with its
C++ compiler included, and of a later one; the step is that of the quieter of two trainings. The whole training is that
of the budget's steps, with the first start. Neither way is used for any published row: both change the bits; what
bfloat16 does to the quality of rows is not measured.
"""
SAMPLING = """## Sampling

10,000 profiles of 680 genes for 1,000 distinct conditions, 10 draws each; two threads. Each condition is encoded once
(the benchmark counts the rows that pass the encoder). At most 10 s are allowed: the benchmark fails where seconds and
CPU-seconds are both more, since free cores need no more seconds than CPU-seconds. On an overloaded machine the two
threads wait for each other, which costs CPU-seconds too: a row above the limit there has to be measured again.
"""
STEPS = """## Sampling steps of label diffusion

`diffusion-label` after its whole training, with DPM-Solver++; 10,000 profiles on two threads as above, and what
rows for the validation patients are worth: support metrics in gene space, detection by XGBoost (½ is best). The default
is 20 steps.
"""
STEP = """## The step of GeMM-GAN

Five critic updates and one generator update, with the plain formulation (torch's own modules, every condition computed
at every use) beside it in one run. Both have the same gradients to 1e-10 (a test).
"""
WITHOUT_GPU = """## On a GPU

Not measured: no GPU was at hand. The same benchmarks run there with `-m gpu`. What can be said without one: no step of
any trained generator reads a value back to the host between checkpoints (a test counts such reads, backward passes
included), so that a GPU need not wait for it; progress shows the loss, and reads it, at most every 0.3 s. Training is
in float32 with deterministic kernels. Mixed precision, TF32, `torch.compile` and CUDA graphs are not offered: whether
they pay is unmeasured, and so is the aim of five times the plain formulation.
"""
_KINDS: Mapping[str, str] = {
    "training": "training",
    "way": "`torch.compile` and bfloat16",
    "sampling": "sampling",
    "sampling steps": "the sampling steps of label diffusion, with their quality",
    "step": "the step of GeMM-GAN beside the plain formulation",
}
_YARDSTICK, _USUAL = "wgan-gp-label", "as it is"


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
        f"Load average while measuring: {min(loads):.1f} to {max(loads):.1f}, the measured process included.\n"
        "Above the number of cores other work was going on: read the CPU-seconds, the seconds are far too long."
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
    heads = ("generator", "step", "CPU-ms", "against as it is", "first start, CPU-s", "later start, CPU-s",
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
            row["generator"], row["variant"], digits(found["step_cpu_ms"]), f"{digits(ratio)} times as fast",
            digits(found["first_start_cpu_s"]), digits(found["later_start_cpu_s"]), digits(whole),
        ])  # fmt: skip
    said = [
        f"{way[:1].upper()}{way[1:]}, {count} of {sum(row['variant'] == way for row in rows)} whole trainings take "
        "fewer CPU-seconds than as it is."
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
