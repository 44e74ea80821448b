"""How many calls may be under way at once, so that who is let in is answered soon and who is not hears when to return.

A call that waits behind a hundred others is answered late, and so are all that come after it: once more comes than can
be done, only what is refused at once keeps the rest quick. Who sends most is refused first.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from math import inf
from typing import Final

from services.chassis import logs
from services.chassis.engine.away import Busy

MOST: Final = 192
"""Calls under way, however quickly they are answered; for a moment, when many come at once; and with those of whoever
has less under way than their share, whom another's flood must not keep out."""
MOST_URGENT: Final = 1_000
"""The same with what cannot wait, which is let in where all else is refused."""
LEAST: Final = 64
"""As many are let in however few were answered: a machine that has just started has answered none yet."""
FEW: Final = 12
"""As many are let in, besides danger, while calls wait long before they are read: those that are refused must be more
than those that come, or the wait stays for ever. With 64 it did, for seconds (docs/performance-notes.md on row 7);
with so few that turns do not gather, too."""
WAIT_SECONDS: Final = 0.04
"""How long a call may wait behind those before it: room is what was answered in such a time."""
MOMENT_SECONDS: Final = 1.0
"""How long many may be under way before they are more than can be done, and not only many at once; and how long nobody
must have been refused before many may come at once again."""
LONG_WAIT, LONG_WAIT_AT_ONCE = 0.02, 0.1
"""Seconds that a call waits before it is read, beyond which those that come are too many; and where many may come at
once."""
IN_A_ROW: Final = 8
"""So many calls must each have waited for so long: one by itself may have been sent slowly."""
SOONEST_RETURN, LATEST_RETURN = 0.1, 5.0
WINDOW_SECONDS = 1.0
FORGET = 0.9
"""What is left of a rate, window by window, where less is asked for."""

log = logs.get(__name__)


class Admission:
    """Room for calls. Thread-safe; `monotonic` is the clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._under_way = 0
        self._by_sender: Counter[str] = Counter()
        self._rate = 0.0
        self._answered = self._refused = 0
        self._window_ends = self._calm_at = monotonic()
        self._refused_at = -inf
        self._waits = deque([0.0], maxlen=IN_A_ROW)

    def enter(self, sender: str, *, urgent: bool) -> None:
        """Be under way until `leave`. Raises Busy, with a time to return, where there is no room."""
        with self._lock:
            now = self._monotonic()
            self._look(now)
            if self._under_way >= (MOST_URGENT if urgent else self._most(sender, now)):
                self._refused += 1
                self._refused_at = now
                raise Busy(self._return_after())
            self._under_way += 1
            self._by_sender[sender] += 1

    def waited(self, seconds: float) -> None:
        """A call came, and so long later it had been read; told before it enters."""
        with self._lock:
            self._waits.append(seconds)

    def leave(self, sender: str) -> None:
        """Be answered; once for each `enter`."""
        with self._lock:
            self._under_way -= 1
            self._by_sender[sender] -= 1
            if not self._by_sender[sender]:
                del self._by_sender[sender]
            self._answered += 1

    def _most(self, sender: str, now: float) -> float:
        """How many may be under way for this sender to be let in."""
        room = min(max(self._rate * WAIT_SECONDS, LEAST), MOST)
        wait = min(self._waits)
        if self._under_way < room / 2 and wait <= LONG_WAIT and now - self._refused_at >= MOMENT_SECONDS:
            self._calm_at = now
        at_once = now - self._calm_at < MOMENT_SECONDS
        own = self._by_sender[sender]
        senders = len(self._by_sender) + (not own)
        if wait > (LONG_WAIT_AT_ONCE if at_once else LONG_WAIT):
            return MOST if own < FEW // senders else FEW
        # Shares are whole calls: of many senders each would have one, however little room there is for all of them.
        return MOST if at_once or own < room // senders else room

    def _return_after(self) -> float:
        """Until as many as are under way have been answered."""
        seconds = self._under_way / self._rate if self._rate else 1.0
        return min(max(seconds, SOONEST_RETURN), LATEST_RETURN)

    def _look(self, now: float) -> None:
        """At the end of each window: how quickly calls were answered, and how many were refused."""
        if now < self._window_ends:
            return
        seconds = WINDOW_SECONDS + now - self._window_ends
        self._rate = max(self._answered / seconds, self._rate * FORGET)
        if self._refused:
            log.warning("calls_refused_busy", count=self._refused, under_way=self._under_way, answered=self._answered)
        self._answered = self._refused = 0
        self._window_ends = now + WINDOW_SECONDS
