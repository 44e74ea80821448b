"""The clocks that run, in memory: what the store keeps in each document's view, soonest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1.common_pb2 import Actor
from services.chassis.deciding import ClockRanOut


class ClockWatch:
    """Knows the deadlines that are near, of every referral that has any. Used by the engine's thread alone.

    Every process of a service watches them all; an expiry is decided once, since its cause is the clock itself.
    """

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self.until = datetime.min.replace(tzinfo=UTC)
        """Later deadlines are left to the store, which is to be asked for them in time."""
        self._running: dict[str, frozenset[tuple[datetime, str]]] = {}
        self._soonest: list[tuple[datetime, str, str]] = []

    def __len__(self) -> int:
        """How many referrals have a deadline that is near."""
        return len(self._running)

    def watch(self, referral_id: str, clocks: Iterable[Mapping[str, Any]]) -> None:
        """Take the referral's clocks as they are now; those it had before and has no more are forgotten."""
        deadlines = ((_aware(clock["at"]), str(clock["name"])) for clock in clocks)
        running = frozenset(deadline for deadline in deadlines if deadline[0] < self.until)
        before = self._running.get(referral_id, frozenset())
        if running == before:
            return
        if running:
            self._running[referral_id] = running
        else:
            self._running.pop(referral_id, None)
        for at, name in running - before:
            heapq.heappush(self._soonest, (at, referral_id, name))

    def due(self, now: datetime) -> list[ClockRanOut]:
        """The clocks that ran out by `now`, each once, until its referral is watched anew: by the next scan too, should
        nothing have come of it, as where its decider failed. What another process decided is not watched again."""
        ran_out = []
        while self._soonest and self._soonest[0][0] <= now:
            at, referral_id, name = heapq.heappop(self._soonest)
            if (at, name) in self._running.get(referral_id, ()):
                self._forget(referral_id, at, name)
                cause = f"{name}@{at.isoformat()}"
                ran_out.append(ClockRanOut(referral_id, cause, self._actor, name, at))
        return ran_out

    def seconds_until_next(self, now: datetime) -> float:
        """Seconds until the soonest deadline; a day where none runs."""
        return (self._soonest[0][0] - now).total_seconds() if self._soonest else 86_400.0

    def _forget(self, referral_id: str, at: datetime, name: str) -> None:
        left = self._running[referral_id] - {(at, name)}
        if left:
            self._running[referral_id] = left
        else:
            del self._running[referral_id]


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
