"""Answers that come later: no thread waits for one, and whoever asked hears in time where one does not come."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, Final

from services.chassis import logs
from services.chassis.engine.away import Away

LOOKED_THROUGH: Final = 256
"""How many deadlines are kept before those of calls that were answered are taken out."""

log = logs.get(__name__)

Told = Callable[[Any, Exception | None], None]
"""Hears the answer, or why there is none; never both."""


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler returns that does not wait: the future of what it asked for, and how that becomes an answer."""

    future: Future[Any]
    made: Callable[[Any], Any]

    def now(self, seconds: float) -> Any:
        """Wait for it. Raises what the future raises; Away after so many seconds, since the outcome is unknown."""
        try:
            return self.made(self.future.result(timeout=max(0.0, seconds)))
        except TimeoutError as error:
            raise _unknown() from error


class _Waiting:
    """One answer that is awaited."""

    __slots__ = ("asked",)

    def __init__(self, later: Later, tell: Told) -> None:
        self.asked: tuple[Later, Told] | None = later, tell
        """None once it was told: a deadline that is kept for longer must not keep the call, which gRPC counts."""


class Answering:
    """One thread that tells every answer: those of one turn of the engine are told by one waking. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ready: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, _Waiting]] = []
        self._numbers = count()
        self._awaited = 0
        self._thread: threading.Thread | None = None

    def tell(self, later: Later, seconds: float, tell: Told) -> None:
        """Tell the answer on the thread of this class, or Away where it has not come in so many seconds."""
        waiting = _Waiting(later, tell)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="answering", daemon=True)
                self._thread.start()
            if len(self._due) > LOOKED_THROUGH + 2 * self._awaited:
                self._due = [entry for entry in self._due if entry[2].asked is not None]
                heapq.heapify(self._due)
            self._awaited += 1
            heapq.heappush(self._due, (self._monotonic() + seconds, next(self._numbers), waiting))
            soonest = self._due[0][2] is waiting
        if soonest:
            self._ready.put(None)  # it sleeps until a later deadline
        later.future.add_done_callback(lambda _: self._ready.put(waiting))

    def _run(self) -> None:
        while True:
            try:
                waiting = self._ready.get(timeout=self._until_due())
            except Empty:
                continue
            if waiting is not None:
                self._tell(waiting, late=False)

    def _until_due(self) -> float | None:
        """Tell whoever can wait no longer; seconds until the next deadline, or None where nobody waits."""
        while True:
            with self._lock:
                if not self._due:
                    return None
                left = self._due[0][0] - self._monotonic()
                if left > 0:
                    return left
                waiting = heapq.heappop(self._due)[2]
            self._tell(waiting, late=True)

    def _tell(self, waiting: _Waiting, *, late: bool) -> None:
        if waiting.asked is None:
            return
        later, tell = waiting.asked
        waiting.asked = None
        with self._lock:
            self._awaited -= 1
        try:
            if late:
                raise _unknown()
            answer = later.made(later.future.result())
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told of it
            _say(tell, None, error)
            error.__traceback__ = (
                None  # it knows us, and the future knows it: the call would stay until garbage is looked for
            )
        else:
            _say(tell, answer, None)


def _say(tell: Told, answer: Any, error: Exception | None) -> None:
    try:
        tell(answer, error)
    except Exception as failed:  # one who cannot be told must not keep all others waiting
        log.error("answer_not_told", error=type(failed).__name__, exc_info=failed)


def _unknown() -> Away:
    return Away("engine", "no answer in time")
