"""Shared parts of every training loop: progress, log, checkpoints, and stopping on divergence."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from gexbench.models.contract import Diverged, FitReport, Progress

LOGGED_STEPS = 100
_SECONDS_BETWEEN_CALLS = 0.3


class TrainingRun:
    """Called after every update of a training of `steps` updates.

    At `checkpoints` even intervals it takes the common validation score and keeps the best state. At even
    intervals, and at checkpoints, it logs the losses and gradient norms it is given; they stay on the device until
    the next checkpoint, so that a GPU does not wait for the host in between, but where progress shows the last ones.

    Args:
        steps: updates of the whole training.
        checkpoints: how many times the score is taken; 0 never, then the last state is kept.
        score: common validation score of the state that would be sampled from; lower is better.
        keep: remembers that state.
        progress: called a few times a second at most, and at each checkpoint with `validation_score`.
        keep_last: keep the last state, whatever the scores are.

    Attributes:
        scores: one per checkpoint; score_steps: their updates; best_step: updates at the state that is kept.
    """

    def __init__(
        self,
        steps: int,
        *,
        checkpoints: int,
        score: Callable[[], float],
        keep: Callable[[], None],
        progress: Progress,
        keep_last: bool = False,
    ) -> None:
        self.steps, self.score, self.keep, self.progress = steps, score, keep, progress
        self.keep_last = keep_last or checkpoints == 0
        self.checkpoints = _evenly(steps, checkpoints)
        self.logged = _evenly(steps, LOGGED_STEPS) | self.checkpoints
        self.scores: list[float] = []
        self.score_steps: list[int] = []
        self.best_step = 0
        self._pending: list[tuple[int, dict[str, Tensor | float]]] = []
        self._log: list[dict[str, float]] = []
        self._shown = time.monotonic()

    def logs(self, step: int) -> bool:
        """Whether the values of update `step` (from 1) are logged: the time to compute gradient norms."""
        return step in self.logged

    def after(self, step: int, **values: Tensor | float) -> None:
        """After update `step` (from 1); `values` are scalars: losses, and gradient norms where `logs` says so.

        Raises:
            Diverged: a value or a score is not finite.
        """
        if step in self.logged:
            self._pending.append((step, {name: _detached(value) for name, value in values.items()}))
        if step in self.checkpoints or step == self.steps:
            self._settle()
            self._checkpoint(step)
        elif time.monotonic() - self._shown >= _SECONDS_BETWEEN_CALLS:
            self._shown = time.monotonic()
            self.progress(step, self.steps, **_read(values))

    def _checkpoint(self, step: int) -> None:
        shown: dict[str, float] = {}
        if step in self.checkpoints:
            score = self.score()
            if not math.isfinite(score):
                raise Diverged(f"the validation score is {score} after {step} of {self.steps} steps")
            if not self.keep_last and (not self.scores or score < min(self.scores)):
                self.keep()
                self.best_step = step
            self.scores.append(score)
            self.score_steps.append(step)
            shown = {"validation_score": score}
        if step == self.steps and self.keep_last:
            self.keep()
            self.best_step = step
        self._shown = time.monotonic()
        self.progress(step, self.steps, **shown)

    def _settle(self) -> None:
        """Read the pending values from the device and check them."""
        for step, values in self._pending:
            read = _read(values)
            bad = [f"{name} is {value}" for name, value in read.items() if not math.isfinite(value)]
            if bad:
                raise Diverged(f"{', '.join(bad)} after {step} of {self.steps} steps")
            self._log.append({"step": float(step), **read})
        self._pending.clear()

    def describe(self, report: FitReport) -> None:
        """Put scores, steps and the log into the report."""
        report.curves["validation_score"] = list(self.scores)
        report.facts |= {"steps": self.steps, "best_step": self.best_step}
        if self.scores:
            report.facts["kept_validation_score"] = self.scores[-1] if self.keep_last else min(self.scores)
        names = list(dict.fromkeys(name for row in self._log for name in row))
        report.log = {name: [row.get(name, math.nan) for row in self._log] for name in names}
        if self.score_steps:
            by_step = dict(zip(self.score_steps, self.scores, strict=True))
            report.log["validation_score"] = [by_step.get(int(row["step"]), math.nan) for row in self._log]


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, a scalar on their device."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)


def _detached(value: Tensor | float) -> Tensor | float:
    return value.detach() if isinstance(value, Tensor) else value


def _read(values: Mapping[str, Tensor | float]) -> dict[str, float]:
    return {name: float(_detached(value)) for name, value in values.items()}


def _evenly(steps: int, times: int) -> set[int]:
    return {round(steps * (number + 1) / times) for number in range(times)} - {0}
