"""What an engine lets others see of it: how long things took, what it counted, and what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis.language import EnumWords
from services.chassis.metrics import Metrics
from services.chassis.parked import ParkedRecords

_CLASSES = EnumWords(ParkedClass.DESCRIPTOR)


class Observer(Protocol):
    """Hears of each turn; called on the engine's thread, so it must be quick."""

    def turned(self, inputs: int, seconds: float) -> None:
        """A turn took so many inputs and so long."""
        ...

    def stored(self, operation: str, seconds: float) -> None:
        """A load or a save took so long."""
        ...

    def published(self, records: int, seconds: float) -> None:
        """So many records were acknowledged after so long."""
        ...


class _Unobserved:
    """Nobody listens."""

    def turned(self, inputs: int, seconds: float) -> None:
        """See Observer."""

    def stored(self, operation: str, seconds: float) -> None:
        """See Observer."""

    def published(self, records: int, seconds: float) -> None:
        """See Observer."""


UNOBSERVED: Observer = _Unobserved()


class MetricsObserver:
    """Feeds Prometheus's histograms."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._stored = {operation: metrics.store_seconds.labels(operation) for operation in ("load", "save")}

    def turned(self, inputs: int, seconds: float) -> None:
        """See Observer."""
        self._metrics.batch.observe(inputs)
        self._metrics.turn_seconds.observe(seconds)

    def stored(self, operation: str, seconds: float) -> None:
        """See Observer."""
        self._stored[operation].observe(seconds)

    def published(self, records: int, seconds: float) -> None:
        """See Observer."""
        self._metrics.publish_seconds.observe(seconds)


class Watched(Protocol):
    """What can be looked at in an engine at any time."""

    counts: Counter[str]

    @property
    def waiting(self) -> int:
        """Inputs in the queue."""
        ...


class EngineCollector(Collector):
    """Reads an engine when it is scraped, so that counting costs the engine nothing."""

    def __init__(self, engine: Watched, parked: ParkedRecords) -> None:
        self._engine = engine
        self._parked = parked

    def collect(self) -> Iterator[Any]:
        """See prometheus_client."""
        counted = CounterMetricFamily(
            "referrals_engine",
            "Turns, loads, saves, publications, conflicts, and inputs by what became of them",
            labels=["what"],
        )
        for what, count in sorted(self._engine.counts.items()):
            counted.add_metric([what], count)
        yield counted
        yield GaugeMetricFamily(
            "referrals_engine_queue_depth", "Inputs that wait for a turn", value=self._engine.waiting
        )
        waiting = Counter(entry.kind for entry in self._parked.entries())
        parked = GaugeMetricFamily("referrals_parked_records", "Records that wait for a replay", labels=["kind"])
        for kind, count in waiting.items():
            parked.add_metric([_CLASSES.word_or(kind, "unknown")], count)
        yield parked
