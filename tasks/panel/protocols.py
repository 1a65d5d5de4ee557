"""Protocols: what the numbers of a record mean, by the number that the record states.

A protocol fixes the metrics with their anchors and words, which of them are scored, and the rule of the gates. The
latest one takes its metrics from the catalogue; the declarations of an earlier one are kept as they were, so that
records of it keep their tables.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from gexbench.tasks.panel import catalogue
from gexbench.tasks.panel.declarations.metric import Metric, Table

GateRule = Literal["copy share", "calibrated"]
"""`copy share`: the largest of twelve shares of copies against 5 %; `calibrated`: `gates.verdicts`."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One version of the protocol.

    Attributes:
        number: that records state.
        gates: what a row must pass to be ranked.
        kept: declarations of the suite's metrics, in the order of the tables; None = those of the catalogue.
        resamples: draws of a bootstrap.
        asks_convergence: whether rows that diverged, collapsed or have not converged take no rank.
        not_scored: names of metrics that could be scored and are only shown, because they do not tell models apart on
            the published table that this was measured on.
    """

    number: int
    gates: GateRule
    kept: Callable[[], tuple[Metric, ...]] | None = None
    resamples: int = 20_000
    asks_convergence: bool = True
    not_scored: frozenset[str] = frozenset()

    def declared(self) -> tuple[Metric, ...]:
        """Its metrics, in the order of the tables; those of other packages are the installed ones."""
        if self.kept is None:
            return catalogue.catalogue()
        return (*self.kept(), *(metric for metric in catalogue.catalogue() if metric.package))

    def lookup(self, key: str) -> Metric:
        """The metric of a name or value key; see `catalogue.found`. Raises KeyError with the nearest names."""
        if self.kept is None or "." in catalogue.split_key(key)[0]:
            return catalogue.lookup(key)
        return _kept(self.kept, key)

    def scores(self, metric: Metric) -> bool:
        """Whether the metric enters the overall score."""
        return metric.in_overall and metric.name not in self.not_scored

    def place(self, name: str) -> tuple[int, str]:
        """Sorts metric names in the order of the tables; unknown ones come last, by name."""
        return catalogue.place(name, self.declared())

    def words(self, name: str) -> tuple[str, str]:
        """Heading and detail of a metric, or of a figure by class that stands beside one."""
        return catalogue.words(name, self.declared())

    def shown_in(self, table: Table) -> tuple[Metric, ...]:
        """The metrics that a table shows beside its scores: utility first, then in the order of the tables."""
        return catalogue.shown_in(table, self.declared())


@cache
def _kept(metrics: Callable[[], tuple[Metric, ...]], key: str) -> Metric:
    return catalogue.found(key, metrics())


@cache
def _first() -> tuple[Metric, ...]:
    text = (files("gexbench.tasks.panel") / "protocol_1.json").read_text(encoding="utf-8")
    return tuple(Metric(**{**each, "range": _range(*each["range"])}) for each in json.loads(text))


def _range(low: float | None, high: float | None) -> tuple[float, float]:
    """JSON has no infinities: null stands for them."""
    return -math.inf if low is None else low, math.inf if high is None else high


FIRST = Protocol(1, "copy share", _first, resamples=2000, asks_convergence=False)
CURRENT = Protocol(2, "calibrated", not_scored=frozenset({"correlation_gamma"}))
"""Not scored: gap 1.8 standard errors on TCGA v6, by ``python -m gexbench.benchmark.studies sensitivity``."""
PROTOCOLS: Mapping[int, Protocol] = {protocol.number: protocol for protocol in (FIRST, CURRENT)}


def known_key(key: str) -> None:
    """Refuse a metric key that no protocol has. Raises KeyError or ValueError with the nearest names."""
    try:
        CURRENT.lookup(key)
    except KeyError:
        if not any(_has(protocol, key) for protocol in PROTOCOLS.values()):
            raise


def _has(protocol: Protocol, key: str) -> bool:
    try:
        protocol.lookup(key)
    except KeyError:
        return False
    return True
