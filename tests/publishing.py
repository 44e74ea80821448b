"""Sends by either kind of publisher, and waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.engine.publisher import OwnPublisher, SharedPublisher
from services.chassis.records import OutRecord


def publish(publisher: OwnPublisher | SharedPublisher, records: Sequence[OutRecord], timeout: float) -> None:
    """Send all in order and wait until the broker has acknowledged all, `timeout` seconds at most. Raises Away."""
    if isinstance(publisher, SharedPublisher):
        publisher.publish(records, timeout)
    else:
        assert publisher.begin(records, timeout).wait()
