"""Whether a kafka-python consumer still lives: its heartbeats go out, and what lies on its partitions is read.

After a broker was killed, kafka-python (3.0.12) has been seen to send no heartbeat ever again: it then reads nothing,
and turns in its poll without a pause. Whoever reads with it looks at its pulse, and replaces it where there is none.
"""

import time
from collections.abc import Callable
from typing import Any

from kafka.errors import KafkaError

from services.chassis.kafka_settings import SESSION_TIMEOUT_MS

LOOK_EVERY_SECONDS = 5.0
SILENT_SECONDS = 3 * SESSION_TIMEOUT_MS / 1_000
ENDS_MS = 5_000


class Pulse:
    """The pulse of one consumer that is subscribed; asked for between its polls, on their thread.

    `monotonic` is the clock, in seconds.
    """

    def __init__(self, consumer: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._consumer = consumer
        self._monotonic = monotonic
        self._look_at = monotonic() + SILENT_SECONDS
        self._last_read = monotonic()
        self._was_behind = False

    def read(self) -> None:
        """Say that a poll gave records."""
        self._last_read = self._monotonic()
        self._was_behind = False

    def missing(self) -> str | None:
        """Why the consumer must be replaced, or None. Looks every LOOK_EVERY_SECONDS, from SILENT_SECONDS on.

        It must when it sent no heartbeat for three session timeouts; and when it read nothing for as long, though
        two looks in a row, with polls between them, found records past its position.
        """
        now = self._monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY_SECONDS
        if self._heartless():
            return "heartless"
        was_behind, self._was_behind = self._was_behind, now - self._last_read > SILENT_SECONDS and self._behind()
        return "behind" if was_behind and self._was_behind else None

    def _heartless(self) -> bool:
        group = self._consumer.metrics().get("consumer-coordinator-metrics", {})
        # Without a topic there is no group to join, and no heartbeat to miss.
        return bool(self._consumer.subscription()) and group.get("last-heartbeat-seconds-ago", 0) > SILENT_SECONDS

    def _behind(self) -> bool:
        partitions = list(self._consumer.assignment())
        if not partitions:
            return False
        try:
            ends = self._consumer.end_offsets(partitions, timeout_ms=ENDS_MS)
            return any(ends[each] > (self._consumer.position(each, timeout_ms=ENDS_MS) or 0) for each in partitions)
        except KafkaError:  # the broker is away, which is the poll's matter
            return False
