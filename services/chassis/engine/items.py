"""What waits in the engine's queue: commands, records of a chunk, clocks and republications."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from services.chassis.deciding import Input
from services.chassis.kafka_in.chunk import Held, Position, Record

CLOCK_SIZE = 200
"""Bytes that an input without a body counts for."""


class ChunkWork:
    """Counts a chunk's records down; used by the engine's thread alone."""

    def __init__(self, count: int, future: Future[Held]) -> None:
        self._left = count
        self._held: set[Position] = set()
        self._future = future
        if not count:
            future.set_result([])

    def hold(self, place: Position) -> bool:
        """One record waits for another; True where it is the chunk's last."""
        self._held.add(place)
        return self.done()

    def done(self) -> bool:
        """One record has taken effect or been parked; True where it is the chunk's last."""
        self._left -= 1
        if self._left == 0 and not self._future.done():
            self._future.set_result(list(self._held))
        return self._left == 0

    @property
    def settled(self) -> bool:
        """True once the chunk was answered."""
        return self._future.done()


@dataclass(slots=True, eq=False)
class Item:
    """One input on its way through turns."""

    sender: str
    size: int
    given: Input | None = None
    """None for a record that is not yet read, and for a republication."""
    referral_id: str = ""
    record: Record | None = None
    chunk: ChunkWork | None = None
    answer: Future[Any] | None = None
    held: bool = False
    """True after the chunk was told that the record is held."""
    overdue: bool = False
    """True where the missing fact before it did not come in time; it is parked unless it can be applied now."""
    must_load: bool = False
    """True after a conflict: something is stored, so it is read."""
    replay: Callable[[bool], None] | None = None
    """For a parked record that is handled again: told whether it took effect."""

    @property
    def place(self) -> Position:
        """Where the record lies; only for records."""
        assert self.record is not None  # noqa: S101 - a record's item always has it
        return self.record.position


def replay_item(record: Record, tell: Callable[[bool], None]) -> Item:
    """A parked record that is handled again; `tell` learns whether it took effect."""
    return Item("replay", len(record.value or b"") + CLOCK_SIZE, record=record, replay=tell)
