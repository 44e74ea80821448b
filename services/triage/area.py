"""The area's rules and clocks, as triage's decisions need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from safeguarding.v1.common_pb2 import Actor, Deadline, Standing
from safeguarding.v1.intake_pb2 import Raised
from services.chassis.clocks import Clocks, load_clocks
from services.chassis.live_files import today
from services.grounds import Grounds, load_grounds
from services.links import AtPlace
from services.triage.rules import Assessment, Features, Rules, load_rules


class Area:
    """Rules and clocks of one area, loaded once; raises FileRefused where a file is wrong."""

    def __init__(self, folder: Path, on: date | None = None) -> None:
        """With `on`, a calendar that ends before that day is refused too."""
        self._rules: Rules = load_rules(folder)
        self._grounds: Grounds = load_grounds(folder)
        self._clocks: Clocks = load_clocks(folder, on)
        # All of a turn is decided at one time, and mostly by a few clocks.
        self._until = lru_cache(maxsize=64)(self._clocks.until)

    def assess(
        self, raised: Raised, raiser: Actor, at_place: tuple[AtPlace, ...] = (), by_several: int = 0
    ) -> Assessment:
        """See domain.AreaRules."""
        return self._rules.assess(Features.of(raised, raiser, at_place, by_several))

    def grounds(self, basis: int) -> Sequence[Standing]:
        """See domain.AreaRules."""
        return self._grounds.of(basis)

    def until(self, clock: str, start: datetime, council: str) -> Deadline:
        """See domain.AreaRules."""
        return self._until(clock, start, council)

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """See domain.AreaRules."""
        return self._clocks.resumed(clock, runs_out, paused, now, council)


def load_area(folder: Path) -> Area:
    """The area's rules and clocks as they are in force today; raises FileRefused."""
    return Area(folder, today().date())
