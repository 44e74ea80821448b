"""The area's rules and clocks, as triage's decisions need them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import Raised
from services.chassis.clocks import Clocks, load_clocks
from services.triage.rules import Assessment, Features, Rules, load_rules


class Area:
    """Rules and clocks of one area, loaded once; raises FileRefused where a file is wrong."""

    def __init__(self, folder: Path) -> None:
        self._rules: Rules = load_rules(folder)
        self._clocks: Clocks = load_clocks(folder)

    def assess(self, raised: Raised, raiser: Actor) -> Assessment:
        """See domain.AreaRules."""
        return self._rules.assess(Features.of(raised, raiser))

    def deadline(self, clock: str, start: datetime) -> datetime:
        """See domain.AreaRules."""
        return self._clocks.deadline(clock, start)

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime) -> datetime:
        """See domain.AreaRules."""
        return self._clocks.resumed(clock, runs_out, paused, now)
