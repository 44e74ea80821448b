"""Records that came before an earlier fact of their referral, held in memory until it comes."""

from __future__ import annotations

from services.chassis.deciding import Upstream
from services.chassis.engine.items import Item

ALARM_AFTER = 60.0
"""Seconds until a gap counts as an alarm and its records are parked."""


class Gaps:
    """Held records by referral and writer. Used by the engine's thread alone."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], dict[int, Item]] = {}
        self._since: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, item: Item, now: float) -> None:
        """Keep a record; `now` is monotonic seconds."""
        given = item.given
        assert isinstance(given, Upstream)  # noqa: S101 - only upstream facts have gaps
        key = (given.referral_id, given.writer)
        self._held.setdefault(key, {})[given.sequence] = item
        self._since.setdefault(key, now)

    def ready(self, referral_id: str, writer: str, sequence: int) -> list[Item]:
        """The held records that follow without a gap from `sequence`; they are held no more."""
        key = (referral_id, writer)
        held = self._held.get(key)
        if not held:
            return []
        ready = []
        while (item := held.pop(sequence, None)) is not None:
            ready.append(item)
            sequence += 1
        if not held:
            del self._held[key], self._since[key]
        return ready

    def overdue(self, now: float) -> list[Item]:
        """The records of gaps that are older than the alarm, in order; they are held no more."""
        overdue: list[Item] = []
        for key in [key for key, since in self._since.items() if now - since >= ALARM_AFTER]:
            held = self._held.pop(key)
            del self._since[key]
            for sequence in sorted(held):
                held[sequence].overdue = True
                overdue.append(held[sequence])
        return overdue
