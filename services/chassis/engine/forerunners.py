"""Facts that another writer's soon follows: they wait a moment for it, and both are one turn and one save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.chassis.deciding import Input
from services.chassis.engine.items import Item

LONGEST_WAIT = 0.25
"""Seconds. What should follow and has not by then may take long, and is not waited for."""
MOST: Final = 256
LARGEST_TURN: Final = 100
"""Inputs of a turn none of which waits: what comes in bulk is saved in bulk."""

Early = Callable[[Input], bool]
"""True where an input may wait for what follows it. What that will need may be asked for here."""


class Forerunners:
    """Those that wait, one a referral. Used by the engine's thread alone.

    A record that waits is held, as one behind a gap is: its chunk is answered, its offset not committed, and a process
    that ends meanwhile reads it again. Whatever else comes for its referral takes it along, before itself.
    """

    def __init__(self, early: Early) -> None:
        self._early = early
        self._waiting: dict[str, tuple[Item, float]] = {}
        """By referral, in the order of the monotonic time at which each has waited enough."""

    def together(self, items: list[Item], now: float) -> list[Item]:
        """What is to be handled now, of `items` that are read: those that may wait stay here, held."""
        may_wait = len(items) <= LARGEST_TURN
        referrals = [item.referral_id for item in items]
        handled = []
        for item in items:
            before = self._waiting.pop(item.referral_id, None)
            if before is not None:
                handled.append(before[0])
            elif (
                may_wait
                and item.chunk is not None
                and item.given is not None
                and len(self._waiting) < MOST
                and referrals.count(item.referral_id) == 1
                and self._early(item.given)
            ):
                self._waiting[item.referral_id] = item, now + LONGEST_WAIT
                item.held = True
                item.chunk.hold(item.place)
                continue
            handled.append(item)
        return handled

    def overdue(self, now: float) -> list[Item]:
        """Those that have waited enough."""
        due = [referral_id for referral_id, (_, until) in self._waiting.items() if until <= now]
        return [self._waiting.pop(referral_id)[0] for referral_id in due]

    def seconds_until_next(self, now: float) -> float:
        """Until the first of them has waited enough; for ever where none waits."""
        return next((until - now for _, until in self._waiting.values()), float("inf"))
