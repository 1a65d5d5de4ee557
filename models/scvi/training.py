"""Training of scVI: scvi-tools' training plan under a Lightning trainer that prints, warns and writes nothing."""

import copy
import logging
import math
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from scvi import REGISTRY_KEYS
from scvi.train import TrainingPlan
from torch import Tensor
from torch.distributions import Distribution

from gexbench.models.scvi.network import inputs_of
from gexbench.models.scvi.settings import ScviSettings
from gexbench.models.training.run import TrainingRun, gradient_norm


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Mini-batches as scvi-tools names them: epochs of random order, run together.

    Attributes:
        counts: (n, genes) on the device; labels: (n, columns) codes, (n, 0) without conditions.
        size: rows of a mini-batch; steps: number of mini-batches.
        seed: of the order.
    """

    counts: Tensor
    labels: Tensor
    size: int
    steps: int
    seed: int

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        device, patients = self.counts.device, len(self.counts)
        random = torch.Generator(device).manual_seed(self.seed)
        queue = torch.empty(0, dtype=torch.int64, device=device)
        for _ in range(self.steps):
            if len(queue) < min(self.size, patients):
                queue = torch.cat([queue, torch.randperm(patients, generator=random, device=device)])
            rows, queue = queue[: self.size], queue[self.size :]
            yield self._batch(rows)

    def _batch(self, rows: Tensor) -> dict[str, Tensor]:
        given = inputs_of(self.labels[rows])
        batch = {
            REGISTRY_KEYS.X_KEY: self.counts[rows],
            REGISTRY_KEYS.BATCH_KEY: given["batch_index"],
            REGISTRY_KEYS.LABELS_KEY: given["batch_index"],
            REGISTRY_KEYS.CAT_COVS_KEY: given["cat_covs"],
        }
        return {name: value for name, value in batch.items() if value is not None}


class _Plan(TrainingPlan):  # type: ignore[misc]
    """scvi-tools' training plan without its own metrics, which nothing here reads."""

    def compute_and_log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: `TrainingRun` logs."""

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: `TrainingRun` logs."""


class _AfterEachStep(Callback):
    """Sets the learning rate and tells a `TrainingRun` of every step."""

    def __init__(self, run: TrainingRun, rate: float) -> None:
        self.run, self.rate, self.step = run, rate, 0
        self.norms: dict[str, Tensor] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """The cosine."""
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.rate * 0.5 * (1 + math.cos(math.pi * self.step / self.run.steps))

    def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
        """The gradient norm, where it is logged."""
        logged = self.run.logs(self.step + 1)
        self.norms = {"gradient_norm": gradient_norm(pl_module.parameters())} if logged else {}

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Progress, log, checkpoint."""
        self.step += 1
        self.run.after(self.step, loss=outputs["loss"], **self.norms)


def train(network: Any, batches: Batches, settings: ScviSettings, run: TrainingRun) -> None:
    """Train the network in place; torch's global generators are used, so fork them around this call.

    Raises:
        Diverged: a loss or a score is not finite.
    """
    plan = _Plan(
        network,
        optimizer="Custom",
        optimizer_creator=lambda weights: torch.optim.Adam(
            list(weights),
            lr=settings.learning_rate,
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        ),
        n_epochs_kl_warmup=None,
        n_steps_kl_warmup=round(settings.warm_up * settings.steps),
        max_kl_weight=settings.kl_weight,
    )
    device = batches.counts.device
    with _undisturbed():
        trainer = Trainer(
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            plugins=[LightningEnvironment()],
            max_epochs=1,
            callbacks=[_AfterEachStep(run, settings.learning_rate)],
            barebones=True,
            use_distributed_sampler=False,
        )
        trainer.fit(plan, train_dataloaders=batches)
    network.to(device).eval()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No log lines, warnings or signal handlers of Lightning; Ctrl-C stays a KeyboardInterrupt.

    Distributions do not check their arguments, which would read from the device at every step; `TrainingRun` finds
    losses that are not finite.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    loggers += [logging.getLogger("lightning.pytorch.utilities.rank_zero")]
    levels = [logger.level for logger in loggers]
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    checks = Distribution._validate_args
    try:
        Distribution.set_default_validate_args(False)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        Distribution.set_default_validate_args(checks)
        if in_main and handler is not None:
            signal.signal(signal.SIGINT, handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def kept_weights(network: Any) -> Any:
    """A copy of the network in evaluation mode, unaffected by later steps."""
    return copy.deepcopy(network).eval().requires_grad_(False)
