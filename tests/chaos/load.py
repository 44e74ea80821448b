"""What is raised: the scenario's concerns in an order that the seed gives, one by one, in bulk and in storms."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM
from services.cli.local.home import CHECKOUT
from services.cli.scenario import ScenarioConcern, load_scenario
from tests.chaos.ledger import Submission

SCENARIO = CHECKOUT / "deploy" / "local" / "scenario"
MAY_RAISE_IN_BULK = frozenset({ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM})
BULK_SHARE = 0.5
MOST_IN_BULK = 50
STORM_SHARE = 0.03
STORM_REPEATS = 10


@dataclass(frozen=True, slots=True)
class Work:
    """What one client does at once: one concern, a storm of repeats of one, or a bulk by one raiser."""

    submissions: tuple[Submission, ...]
    storm: bool = False

    @property
    def bulk(self) -> bool:
        """True for a stream of concerns."""
        return len(self.submissions) > 1


@cache
def concerns() -> tuple[ScenarioConcern, ...]:
    """The scenario's concerns that need no desk to be routed and whose partners all do their work."""
    return tuple(
        stated
        for stated in load_scenario(SCENARIO)
        if stated.partners
        and not stated.desk
        and stated.ending.raiser == "reads"
        and all("completed" in partner.replies and not partner.escalated for partner in stated.partners.values())
    )


def planned(seed: int, count: int, *, run: str = "") -> list[Work]:
    """Work that raises `count` concerns in all; the same seed gives the same. `run` keeps keys of runs apart."""
    dice = random.Random(f"load {seed}")
    among = concerns()
    in_bulk = [stated for stated in among if stated.raiser.role in MAY_RAISE_IN_BULK]
    raisers = sorted({(stated.raiser.role, stated.raiser.id) for stated in in_bulk})
    work: list[Work] = []
    made = 0

    def submission(stated: ScenarioConcern) -> Submission:
        nonlocal made
        made += 1
        return Submission(f"chaos-{run or seed}-{made:07d}-{stated.name}"[:100], stated)

    while made < count:
        if dice.random() * MOST_IN_BULK < BULK_SHARE / (1 - BULK_SHARE):
            raiser = dice.choice(raisers)
            own = [stated for stated in in_bulk if (stated.raiser.role, stated.raiser.id) == raiser]
            size = min(count - made, dice.randint(2, MOST_IN_BULK * 2 - 2))
            work.append(Work(tuple(submission(dice.choice(own)) for _ in range(size))))
        else:
            work.append(Work((submission(dice.choice(among)),), storm=dice.random() < STORM_SHARE))
    return work


class Gate:
    """Lets work through up to a number of concerns, so that the load lasts as long as the faults do."""

    def __init__(self, work: Sequence[Work], quota: int) -> None:
        self._left = deque(work)
        self._quota = quota
        self._through = 0
        self._changed = threading.Condition()

    def allow(self, quota: int) -> None:
        """Let through up to `quota` concerns in all."""
        with self._changed:
            self._quota = max(self._quota, quota)
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing more through."""
        with self._changed:
            self._left.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Work]:
        """Each piece of work goes to one of those that iterate; waits at the quota."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._left or self._through < self._quota)
                if not self._left:
                    return
                work = self._left.popleft()
                self._through += len(work.submissions)
                if not self._left:
                    self._changed.notify_all()
            yield work
