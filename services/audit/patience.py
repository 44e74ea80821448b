"""How the sequencer waits for store, broker and disk: as long as it takes, told to health, until it must stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from kafka.errors import KafkaError

from services.chassis import logs
from services.chassis.engine.away import Away

T = TypeVar("T")
log = logs.get(__name__)

RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as store, broker or disk is away


class Stopping(Exception):
    """Told to stop while waiting."""


class Patience:
    """Repeats what fails because something is away. Thread-safe.

    `standing(condition, ready)` hears of what is away and of what is back; once `stopping` is set nothing waits.
    """

    def __init__(self, standing: Callable[[str, bool], None], stopping: threading.Event) -> None:
        self._standing = standing
        self._stopping = stopping

    def __call__(self, what: str, action: Callable[[], T]) -> T:
        """Repeat until it is done, however long that takes: nothing is skipped. Raises Stopping when told to stop."""
        failures, waited = 0, {what}
        while True:
            try:
                done = action()
            except (Away, KafkaError, OSError) as error:
                away = error.what if isinstance(error, Away) else what
                self._standing(away, False)
                waited.add(away)
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                log.warning("sequencer_waits", away=away, error=_said(error), retry_in=delay)
                failures += 1
                if self._stopping.wait(delay):
                    raise Stopping from error
            else:
                for condition in waited:
                    self._standing(condition, True)
                return done


def _said(error: Exception) -> str:
    """Its kind; of the disk also what it says, such as that it is full."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
