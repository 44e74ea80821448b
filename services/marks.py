"""How far running clocks have come: warned at 50 and 80 percent, breached at 100, each told once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from safeguarding.v1.common_pb2 import ClockReached, Deadline
from services.moments import moment

PERCENTS = (50, 80, 100)


@dataclass(frozen=True)
class Running:
    """A clock that runs. Its share is of elapsed time, whatever days its calendar counts."""

    deadline: Deadline
    started: datetime
    reached: int = 0
    """The highest percentage that was told already."""
    leg_id: str = ""

    def moment(self, percent: int) -> datetime:
        """When so much of its time is over, UTC."""
        ends = moment(self.deadline.at)
        return ends if percent == 100 else self.started + (ends - self.started) * (percent / 100)

    def untold(self) -> list[int]:
        """The percentages that were not told yet."""
        return [percent for percent in PERCENTS if percent > self.reached]


def due(running: Iterable[Running], now: datetime) -> list[ClockReached]:
    """What is to be told now, by clock and then by percentage."""
    return [
        ClockReached(deadline=clock.deadline, percent=percent, leg_id=clock.leg_id)
        for clock in running
        for percent in clock.untold()
        if clock.moment(percent) <= now
    ]


def watched(running: Iterable[Running]) -> list[dict[str, Any]]:
    """When each clock is to be looked at next, as a decider's view names it."""
    return [
        {"name": clock.deadline.clock, "at": clock.moment(clock.untold()[0])} for clock in running if clock.untold()
    ]
