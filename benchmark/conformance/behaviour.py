"""Checks of side effects, and of cohorts without text, patches or large classes."""

import psutil

from gexbench.benchmark.cells.training import BadSamples, Clock, checked_report, checked_samples
from gexbench.benchmark.conformance.check import Broken, Skipped
from gexbench.benchmark.conformance.subject import Subject
from gexbench.benchmark.machine.memory import PeakMemory
from gexbench.models.contract import Diverged, Unavailable
from gexbench.models.local.frames import FrameGenerator
from gexbench.tasks.cohorts.device_fold import DeviceFold

CPU_SECONDS = 60.0
"""Twelve times the limit of budget quick, for slow machines."""

GROWTH_BYTES = 2**30


def fit(subject: Subject) -> str:
    """The generator can be fitted."""
    clock = Clock()
    subject.fitted  # noqa: B018
    return f"{clock.lap()[0]:.1f} s"


def global_state(subject: Subject) -> None:
    """Global random state, default dtype, threads and gradient mode are unchanged."""
    changed = subject.observation.changed
    if changed:
        raise Broken(
            f"changed {', '.join(changed)}",
            "draw from `torch.Generator().manual_seed(seed)` or `numpy.random.default_rng(seed)`; wrap libraries that "
            "draw from global random state in `with seeded(seed):` (gexbench.models.local.seeding)",
        )


def inputs(subject: Subject) -> None:
    """The fold's tensors and ids are unchanged."""
    if subject.observation.inputs_changed:
        raise Broken(
            "modified the tensors it was given",
            "copy before changing: use `x = x - m`, not `x -= m`; `clone()` before methods that end in `_`",
        )


def device(subject: Subject) -> None:
    """Tensors are created on an explicit device."""
    if issubclass(subject.cls, FrameGenerator):
        raise Skipped("its tables are on the CPU, and so is what is made of them")
    found = subject.observation.without_device
    if found:
        raise Broken(
            f"created tensors without a device: {', '.join(found)}",
            "pass `device=conditions.device` (`train.expression.device` in `fit`), or `device='cpu'` and `.to(…)`",
        )


def progress(subject: Subject) -> str:
    """The callback is called, ends at the last step and receives floats."""
    calls = subject.observation.progress
    if not calls:
        if subject.entry.is_reference:
            raise Skipped("a reference, whose fit takes only a moment")
        raise Broken("never called `progress`", "call `progress(step, steps, loss=…)` regularly and at the end")
    step, steps, _ = calls[-1]
    if step != steps:
        raise Broken(f"progress ended at step {step} of {steps}", "call `progress(steps, steps)` at the end")
    if [call[0] for call in calls] != sorted(call[0] for call in calls):
        raise Broken("progress steps went backwards", "count steps over all phases of the fit")
    bad = {name: value for _, _, values in calls for name, value in values.items() if not isinstance(value, float)}
    if bad:
        name, value = next(iter(bad.items()))
        raise Broken(f"progress value {name} is a {type(value).__name__}", f"pass a float: `{name}=float({name})`")
    return f"{len(calls)} calls"


def report(subject: Subject) -> None:
    """The report fits into a record whole, and its curves have finite values."""
    found, left_out = checked_report(subject.fitted.report)
    if left_out:
        raise Broken("; ".join(left_out), "report numbers, text, and lists and dicts of them, under names of text")
    if any(not curve for curve in found.curves.values()):
        raise Broken("a curve of its report is empty", "leave out curves without values")
    if any(value is None for curve in found.curves.values() for value in curve):
        raise Broken("a curve of its report holds NaN", "raise `Diverged` when a loss is NaN")


def left_behind(subject: Subject) -> None:
    """No files, processes or threads are left."""
    seen = subject.observation
    if seen.files:
        raise Broken(
            f"left files behind: {', '.join(seen.files[:5])}",
            "write no files: return what to keep from `state` and `report`; use a `tempfile.TemporaryDirectory`",
        )
    if seen.processes or seen.threads:
        raise Broken(
            f"left running: {', '.join([*seen.processes, *seen.threads][:5])}",
            "close pools and data loaders in `fit` (`with …:`, `num_workers=0`)",
        )


def absent_conditions(subject: Subject) -> str:
    """Without text and patches: Unavailable with a reason, or valid rows."""
    wanted = {*subject.entry.conditions} - {"labels"}
    try:
        _works(subject, subject.without_text_and_patches())
    except Unavailable as error:
        if not wanted:
            raise Broken(
                f"raised Unavailable on a cohort with labels only ({error}), but declares no other needs",
                "declare what it needs in `needs`, or work without it",
            ) from None
        if not str(error):
            raise Broken("raised Unavailable without a reason", "state what is missing: the table shows it") from None
        return f"Unavailable: {error}"
    except Exception as error:  # whatever the generator's code raises
        raise Broken(
            f"without text and patches it raised {subject.said(error)}",
            "check `train.conditions.has(kind)` in `fit`, and raise Unavailable with the reason if something "
            "is missing",
        ) from error
    return ""


def small_classes(subject: Subject) -> None:
    """Classes of one and of two training patients."""
    try:
        _works(subject, subject.with_few_patients())
    except Exception as error:  # whatever the generator's code raises
        raise Broken(
            f"with one training patient in a class and two in another it raised {subject.said(error)}",
            "the variance of one sample is NaN and its covariance singular: use those of all patients instead",
        ) from error


def cost(subject: Subject) -> str:
    """CPU seconds and memory of a fit at budget quick, with the budget's own settings."""
    before, clock = psutil.Process().memory_info().rss, Clock()
    with PeakMemory(subject.conditions.device) as peak:
        subject.fit(short=False)
    seconds, grown = clock.lap()[1], peak.bytes["host"] - before
    if seconds > CPU_SECONDS:
        raise Broken(
            f"a fit at budget quick took {seconds:.0f} CPU-seconds on {len(subject.data.train)} patients",
            "give `presets = {'quick': {…}}` with fewer steps in Settings: quick allows 5 CPU-seconds",
        )
    if grown > GROWTH_BYTES:
        raise Broken(
            f"a fit took {grown / 2**20:.0f} MiB on {len(subject.data.train)} patients",
            "work in batches; do not store tensors of every step (`float(loss)` frees the graph)",
        )
    return f"{seconds:.1f} CPU-seconds, {max(grown, 0) / 2**20:.0f} MiB"


def _works(subject: Subject, data: DeviceFold) -> None:
    """Fit and sample on another fold, and check the rows."""
    samples = subject.fit(data=data).sample(data.test_conditions, seed=1)
    try:
        floor = data.train.cohort.unit.floor
        checked_samples(samples, data.test_conditions, 1, data.train.genes, subject.entry.name, floor=floor)
    except (BadSamples, Diverged) as error:
        raise ValueError(str(error)) from None
