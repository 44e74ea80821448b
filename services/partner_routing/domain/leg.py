"""One partner's part of a referral: where it stands, which of its clocks run, and how a fact moves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1.common_pb2 import ClockReached, Deadline
from safeguarding.v1.routing_pb2 import LegState, Offered
from services.frozen import replace
from services.lifecycle import LEG_OF, OPEN, STATE_OF_FACT, UNANSWERED
from services.lifecycle import Leg as Stands
from services.marks import Running

ALREADY_KNOWN = 4
"""DECLINE_REASON_ALREADY_KNOWN: the leg is joined to work that goes on."""
_ORDER = 10**15
"""More than the milliseconds of any deadline."""


@dataclass(frozen=True)
class Leg:
    """One partner's part of the referral."""

    offered: Offered
    offered_at: datetime
    state: int = LegState.LEG_STATE_OFFERED
    outcome: int = 0
    failed: int = 0
    """Why the work could not be done, as FailureReason."""
    declined: int = 0
    """Why, as DeclineReason."""
    answered_at: datetime | None = None
    """When its partner took it on or declined."""
    acknowledge_by: Deadline | None = None
    recalled_at: datetime | None = None
    recall_reason: str = ""
    recall_acknowledged: bool = False
    to_delete: frozenset[int] = frozenset()
    """Erased subjects of whom the partner has not yet confirmed that it deleted what it held."""
    recall_reached: int = 0
    work_by: Deadline | None = None
    work_from: datetime | None = None
    work_reached: int = 0
    review_by: Deadline | None = None
    review_from: datetime | None = None
    """When that clock began; later by as long as it stood still."""
    held: datetime | None = None
    """Since when the work rests."""
    reached: int = 0
    """How far the running clock came, in percent, as was told."""
    asked: int = 0
    """How many questions its partner has for the raiser."""
    answered: int = 0
    """How many of them were answered."""
    told_account: bool = False
    """True where an answer gave its partner what the raiser wrote, whatever the offer had given."""

    @property
    def clock(self) -> Running | None:
        """The clock that runs: for the answer until there is one, then for the next look at the work."""
        if self.state in UNANSWERED:
            return Running(self.offered.respond_by, self.offered_at, self.reached, self.id)
        if self.is_open and self.held is None and self.review_by is not None and self.review_from is not None:
            return Running(self.review_by, self.review_from, self.reached, self.id)
        return None

    @property
    def clocks(self) -> list[Running]:
        """All that run: beside that one the clock of the work, which never rests, and that of a recall."""
        running = [self.clock] if self.clock is not None else []
        if self.is_open and self.work_by is not None and self.work_from is not None:
            running.append(Running(self.work_by, self.work_from, self.work_reached, self.id))
        if self.recall_unheard and self.acknowledge_by is not None and self.recalled_at is not None:
            running.append(Running(self.acknowledge_by, self.recalled_at, self.recall_reached, self.id))
        return running

    def with_reached(self, reached: ClockReached) -> Leg:
        """The leg once it was told how far one of its clocks came."""
        if reached.deadline == self.work_by:
            return replace(self, work_reached=reached.percent)
        if reached.deadline == self.acknowledge_by:
            return replace(self, recall_reached=reached.percent)
        return replace(self, reached=reached.percent)

    @property
    def id(self) -> str:
        """Its id."""
        return self.offered.leg_id

    @property
    def partner_id(self) -> str:
        """Its partner."""
        return self.offered.partner_id

    @property
    def stands(self) -> Stands:
        """Where it stands, as the life-cycle names it."""
        return LEG_OF[self.state]

    @property
    def joined(self) -> bool:
        """True where the partner works with the person already, and takes it into that."""
        return self.state == LegState.LEG_STATE_DECLINED and self.declined == ALREADY_KNOWN

    @property
    def recall_unheard(self) -> bool:
        """True until the partner of a leg that was taken back says that it stopped."""
        return self.state == LegState.LEG_STATE_RECALLED and not self.recall_acknowledged

    @property
    def urgency(self) -> int:
        """Smaller is sooner: what its partner must stop, what waits for its answer, the rest; each by its deadline."""
        order = 0 if self.recall_unheard else 1 if self.state in UNANSWERED else 2
        return order * _ORDER + self.offered.respond_by.at.ToMilliseconds()

    @property
    def is_open(self) -> bool:
        """True while something is still to come from the partner."""
        return self.state in OPEN


def taken_up(leg: Leg) -> bool:
    """True where a partner did something, or knows the person already; silence and a plain no are neither."""
    return leg.state in (LegState.LEG_STATE_COMPLETED, LegState.LEG_STATE_FAILED) or leg.joined


def moved(leg: Leg, kind: str, body: Any, at: datetime) -> Leg:
    """The leg after a fact of this kind that moves it (see STATE_OF_FACT)."""
    leg = replace(
        leg, state=STATE_OF_FACT[kind], answered_at=at if kind in ("accepted", "declined") else leg.answered_at
    )
    if kind == "completed":
        return replace(leg, outcome=body.outcome)
    if kind == "failed":
        return replace(leg, failed=body.reason)
    if kind == "declined":
        return replace(leg, declined=body.reason)
    if kind == "on_hold":
        return replace(leg, held=at)
    if kind == "in_progress" and leg.held is not None:
        began = leg.review_from and leg.review_from + (at - leg.held)
        return replace(leg, held=None, review_by=body.review_by, review_from=began)
    if kind == "recalled":
        return replace(leg, acknowledge_by=given(body, "acknowledge_by"), recalled_at=at, recall_reason=body.reason)
    if kind == "accepted":
        leg = replace(leg, work_by=given(body, "work_by"), work_from=body.work_from.ToDatetime(UTC))
    if kind in ("accepted", "in_progress"):
        return replace(leg, review_by=body.review_by, review_from=at, reached=0)
    return leg


def given(body: Any, name: str) -> Any:
    """A field of a fact, or None where the fact does not have it."""
    return getattr(body, name) if body.HasField(name) else None
