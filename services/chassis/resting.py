"""Reading from Kafka rests while something that the engine stands on is away, so that nobody takes it for stuck."""

from __future__ import annotations

import threading
from typing import Protocol


class Reading(Protocol):
    """What reads from Kafka."""

    def pause(self) -> None:
        """Hand out nothing more until `resume`."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class Resting:
    """Thread-safe: the engine's thread tells what is away, the main thread adds what reads, whenever it is made."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._away: set[str] = set()
        self._lock = threading.Lock()

    def add(self, reading: Reading) -> None:
        """Something that reads; it rests at once where something is away already."""
        with self._lock:
            self._readings.append(reading)
            if self._away:
                reading.pause()

    def tell(self, what: str, *, ready: bool) -> None:
        """Store, broker or keys: away, or back."""
        with self._lock:
            before = bool(self._away)
            if ready:
                self._away.discard(what)
            else:
                self._away.add(what)
            if before == bool(self._away):
                return
            for reading in self._readings:
                if self._away:
                    reading.pause()
                else:
                    reading.resume()
