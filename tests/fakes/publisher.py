"""A publisher in memory: topics are lists, and sends can be told to fail before or after they happened."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.engine.away import Away
from services.chassis.records import OutRecord


class MemoryPublisher:
    """The Publisher protocol. `refuse` sends are refused, `lose_answer` sends happen without an answer."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.refuse = 0
        self.lose_answer = 0
        self.waits = 0

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See Publisher."""
        self.waits += 1
        if self.refuse:
            self.refuse -= 1
            raise Away("broker", "told to refuse")
        self.records.extend(records)
        if self.lose_answer:
            self.lose_answer -= 1
            raise Away("broker", "told to lose the answer")

    def close(self) -> None:
        """See Publisher."""

    def on(self, topic: str) -> list[OutRecord]:
        """What lies on a topic."""
        return [record for record in self.records if record.topic == topic]
