"""One hop, measured from outside: an arm reads a loaded topic, and what it writes is counted and compared."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.performance.delivered import What, differs
from tests.performance.ground import Ground, Places
from tests.performance.process import Arm, ArmEnded, Usage, running
from tests.performance.result import Sample

POLL = 0.02
WARM = 0.1
"""So much of the work is done before measuring begins: start, joining the group and first calls are not counted."""
PATIENCE = 120.0
"""Seconds without a record more after which an arm is given up."""
LATE = 0.3
"""Seconds in which an extra record would still come."""


@dataclass(frozen=True)
class Hop:
    """The work of one contest: what lies on `source`, and what must lie on `sinks` afterwards."""

    ground: Ground
    source: str
    sinks: Sequence[str]
    events: int
    expected: Counter[What]
    what: Callable[[Any], What]
    """Of a delivered record."""
    before: Callable[[], None] = lambda: None
    """Makes all as new before each arm."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    warm: float = WARM
    """The share of the records after which measuring begins."""

    def run(
        self,
        arm: str,
        *,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        **settings: Any,
    ) -> Sample:
        """Run one arm once."""
        self.before()
        since = self.ground.ends(self.sinks)
        told = {
            **self.ground.settings,
            "group": f"bench-{arm}-{uuid.uuid4().hex[:8]}",
            "source": self.source,
            "sinks": list(self.sinks),
            **self.extra,
            **settings,
        }
        try:
            with running(arm, told, self.ground.logs(), environment=environment, command=command) as process:
                sample = self._watched(process, since)
                time.sleep(LATE)
        except ArmEnded as ended:
            return Sample(void=str(ended))
        return self._compared(sample, since)

    def _watched(self, process: Arm, since: Places) -> Sample:
        total = sum(self.expected.values())
        began: tuple[float, int, Usage] | None = None
        heard, last = time.monotonic(), 0
        while True:
            count = self._count(since)
            used, now = process.usage(), time.monotonic()
            if count != last:
                heard, last = now, count
            if began is None and count >= total * self.warm:
                began = now, count, used
            if count >= total:
                break
            process.must_live()
            if now - heard > PATIENCE:
                return Sample(void=f"gave only {count} of {total} records")
            time.sleep(POLL)
        assert began is not None
        # In input events, whatever number of records each leads to.
        done = (count - began[1]) * self.events / total
        if not done:
            return Sample(void="was done before it could be measured: give it more records")
        return Sample(done / max(0.001, used.cpu - began[2].cpu), done / max(0.001, now - began[0]), used.memory)

    def _count(self, since: Places) -> int:
        return sum(self.ground.ends(self.sinks).values()) - sum(since.values())

    def _compared(self, sample: Sample, since: Places) -> Sample:
        if sample.void:
            return sample
        wrong = differs(self.expected, Counter(map(self.what, self.ground.records(since))))
        return Sample(void=wrong) if wrong else sample
