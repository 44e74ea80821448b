"""Whether what we stand on answers: said once to health and log, and waited for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from services.chassis import logs
from services.chassis.engine.away import Away

log = logs.get(__name__)

FIRST_WAIT = 0.05
LONGEST_WAIT = 5.0


class Stopped(Exception):
    """The engine was told to stop while something was away; what it had taken is not acknowledged, and comes again."""


class Standing:
    """What does not answer at present. Written by the engine's thread, read by any."""

    def __init__(self, tell: Callable[[str, bool], None], counts: Counter[str]) -> None:
        self._tell = tell
        self._counts = counts
        self._stopping = threading.Event()
        self.away: str | None = None
        """store, broker, keys or None."""

    @property
    def stopping(self) -> bool:
        """True once the engine was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """No wait lasts from now on."""
        self._stopping.set()

    def lost(self, away: Away) -> None:
        """Something does not answer."""
        self._counts[f"away_{away.what}"] += 1
        if self.away == away.what:
            return
        if self.away:
            self._tell(self.away, True)
        log.warning("engine_waits", away=away.what)
        self._tell(away.what, False)
        self.away = away.what

    def found(self, what: str | None = None) -> None:
        """It answers again; with `what`, only where that was away."""
        if self.away is None or what not in (None, self.away):
            return
        self._tell(self.away, True)
        log.info("engine_resumed", was_away=self.away)
        self.away = None

    def waits(self, longest: float = LONGEST_WAIT) -> Iterator[None]:
        """Each step waits longer than the last; raises Stopped where a stop ends the wait."""
        seconds = FIRST_WAIT
        while True:
            if self._stopping.wait(seconds):
                raise Stopped
            yield
            seconds = min(longest, seconds * 2)
