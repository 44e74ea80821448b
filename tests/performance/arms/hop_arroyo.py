"""The hop on sentry-arroyo: its stream processor with its own Produce and CommitOffsets, once a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, Produce
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.types import Commit, Partition, Topic

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance.arms.told import librdkafka_consumer, librdkafka_producer, told
from tests.performance.choosing import chosen


class Choosing(KafkaProducer):  # type: ignore[misc]  # arroyo may be absent where types are checked
    """Produces to the topic of each payload's kind: Produce itself knows one topic only."""

    def __init__(self) -> None:
        super().__init__(librdkafka_producer())
        self._sinks = [Topic(name) for name in told()["sinks"]]

    def produce(self, destination: Any, payload: KafkaPayload) -> Any:
        """See KafkaProducer."""
        return super().produce(self._sinks[chosen(IntakeFact.FromString(payload.value))], payload)


class Hop(ProcessingStrategyFactory):  # type: ignore[misc]
    """Produce, then commit."""

    def __init__(self) -> None:
        self._producer = Choosing()

    def create_with_partitions(self, commit: Commit, partitions: Mapping[Partition, int]) -> ProcessingStrategy:
        """See ProcessingStrategyFactory."""
        return Produce(self._producer, Topic("chosen"), CommitOffsets(commit))


def main() -> None:
    """Work until ended."""
    settings = {**librdkafka_consumer(), "enable.auto.offset.store": False}
    StreamProcessor(KafkaConsumer(settings), Topic(told()["source"]), Hop()).run()


if __name__ == "__main__":
    main()
