"""A publisher in memory: topics are lists, and sends can be told to fail before or after they happened."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from services.chassis.engine.away import Away
from services.chassis.engine.publisher import Sending
from services.chassis.engine.sessions import Tell
from services.chassis.records import OutRecord


class Sent:
    """What was acknowledged at once: the Sending protocol."""

    def wait(self, tell: Tell | None = None) -> bool:
        """See Sending."""
        return True


class MemoryPublisher:
    """The Publisher protocol. `refuse` sends are refused, `lose_answer` sends happen without an answer."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.refuse = 0
        self.lose_answer = 0
        self.waits = 0

    def begin(self, records: Sequence[OutRecord], timeout: float) -> Sending:
        """See Publisher."""
        self.waits += 1
        if self.refuse:
            self.refuse -= 1
            raise Away("broker", "told to refuse")
        self.records.extend(records)
        if self.lose_answer:
            self.lose_answer -= 1
            raise Away("broker", "told to lose the answer")
        return Sent()

    def close(self) -> None:
        """See Publisher."""

    def on(self, topic: str) -> list[OutRecord]:
        """What lies on a topic."""
        return [record for record in self.records if record.topic == topic]


class SlowPublisher(MemoryPublisher):
    """Acknowledges only what it is let: each `acknowledge` one publication, of those that are begun or to come."""

    def __init__(self) -> None:
        super().__init__()
        self.undisturbed = 0
        """Waits that nothing else to be done may end."""
        self._moved = threading.Condition()
        self._acknowledged = 0
        self._lost = 0

    def begin(self, records: Sequence[OutRecord], timeout: float) -> Sending:
        """See Publisher."""
        super().begin(records, timeout)
        return _Slow(self)

    def acknowledge(self, publications: int = 1) -> None:
        """Acknowledge so many."""
        with self._moved:
            self._acknowledged += publications
            self._moved.notify_all()

    def lose(self) -> None:
        """What is under way, or the next, ends without an answer."""
        with self._moved:
            self._lost += 1
            self._moved.notify_all()

    def ended(self, told: Sequence[None]) -> bool:
        """Wait until one is acknowledged, or `told` is not empty. Raises Away where it is lost."""
        with self._moved:
            assert self._moved.wait_for(lambda: self._acknowledged or self._lost or told, 60)
            if self._lost:
                self._lost -= 1
                raise Away("broker", "told to lose the answer")
            if self._acknowledged:
                self._acknowledged -= 1
                return True
            return False

    def tell(self, told: list[None]) -> None:
        """Something else is to be done."""
        with self._moved:
            told.append(None)
            self._moved.notify_all()


class _Slow:
    """One publication of a SlowPublisher."""

    def __init__(self, publisher: SlowPublisher) -> None:
        self._publisher = publisher

    def wait(self, tell: Tell | None = None) -> bool:
        """See Sending."""
        told: list[None] = []
        if tell is None:
            self._publisher.undisturbed += 1
        else:
            tell(lambda: self._publisher.tell(told))
        try:
            return self._publisher.ended(told)
        finally:
            if tell is not None:
                tell(None)
