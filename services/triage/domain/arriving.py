"""What comes before a desk that had decided: what raisers tell later, what comes back, partners' questions, clocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from safeguarding.v1 import routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import GRADE_UNSPECIFIED, ClockReached
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Context, Upstream
from services.triage.domain.state import State, to_decide

RECALL_CLOCK, BREACHED = "recall", 100
TOLD_LATER = frozenset({"information_supplied", "amended", "withdrawn"})
"""Facts of intake's by which a raiser tells more of what was raised."""


def brought(state: State, given: Upstream, assessed: Sequence[TriageFact], context: Context) -> list[TriageFact]:
    """What the raiser tells of a referral that nobody at the desk looks at any more is brought to somebody, by the
    clock of the gravest grade; not where a rule asks a further partner for it, and not a partner's own answer."""
    kind = given.fact.WhichOneof("fact")
    known = state.known
    if kind not in TOLD_LATER or state.hidden or not state.at_rest or known.raised is None or known.raiser is None:
        return []
    if any(fact.WhichOneof("fact") == "routed" for fact in assessed):
        return []
    found = context.rules.assess(state.concern or known.raised, known.raiser, state.at_place, state.by_several)
    graded_now = [fact.graded.grade for fact in assessed if fact.WhichOneof("fact") == "graded"]
    grade = max(state.grade, found.grade, *graded_now)
    if kind == "withdrawn":
        reason = triage_pb2.LOOK_AGAIN_REASON_WITHDRAWN
    elif grade > state.grade:
        reason = triage_pb2.LOOK_AGAIN_REASON_GRAVER
    elif kind == "amended" or not state.answers_partner:
        reason = triage_pb2.LOOK_AGAIN_REASON_TOLD_MORE
    else:
        return []
    lies_there = state.looks_again_for not in (0, triage_pb2.LOOK_AGAIN_REASON_CLOCK)
    if state.came_back or (lies_there and reason != triage_pb2.LOOK_AGAIN_REASON_GRAVER):
        return []  # and its clock goes on
    decide_by = to_decide(grade, known, context)
    graded = []
    if state.ended and grade > state.grade:  # what had ended is graded too, and asks nobody before somebody looked
        graded = [TriageFact(graded=triage_pb2.Graded(grade=grade, fired=found.as_fired(), decide_by=decide_by))]
    return [*graded, TriageFact(brought_to_desk=triage_pb2.BroughtToDesk(reason=reason, decide_by=decide_by))]


def remind(given: Upstream, state: State, context: Context) -> list[TriageFact]:
    """The desk is told how far those of routing's clocks came that are its own to mind: whom to tell, what must follow;
    and that a partner is late to say that it stopped. Whatever else is a leg's, its partner is told."""
    fact: Any = given.fact
    if fact.WhichOneof("fact") != "clock_reached" or not state.at_rest:
        return []
    by_clock = state.looks_again_for == triage_pb2.LOOK_AGAIN_REASON_CLOCK
    if state.waits_for_desk and not by_clock:
        return []
    reached: ClockReached = fact.clock_reached
    if reached.percent < BREACHED and state.closed:
        return []  # what follows a closing takes years; nobody at the desk minds it before it is over
    if reached.leg_id and not (reached.deadline.clock == RECALL_CLOCK and reached.percent == BREACHED):
        return []
    brought = triage_pb2.BroughtToDesk(
        reason=triage_pb2.LOOK_AGAIN_REASON_CLOCK,
        decide_by=state.decide_by if by_clock else to_decide(state.grade, state.known, context),
        clock=reached,
        done_before=state.done,
    )
    return [TriageFact(brought_to_desk=brought)]


def take_back(given: Upstream, state: State, context: Context) -> list[TriageFact]:
    """What nobody takes up lies on the worklist again, with the reason and a new clock."""
    fact: Any = given.fact
    if fact.WhichOneof("fact") != "came_back" or state.hidden or state.grade == GRADE_UNSPECIFIED:
        return []
    back: routing_pb2.CameBack = fact.came_back
    decide_by = to_decide(state.grade, state.known, context)
    taken = triage_pb2.TakenBack(leg_id=back.leg_id, service=back.service, reason=back.reason, decide_by=decide_by)
    return [TriageFact(taken_back=taken)]


def ask_for_partner(given: Upstream, state: State, context: Context) -> list[TriageFact]:
    """A partner's question goes to the raiser as the desk's does: by triage, the one writer of questions."""
    fact: Any = given.fact
    if fact.WhichOneof("fact") != "information_asked" or state.hidden or state.grade == GRADE_UNSPECIFIED:
        return []
    asked: routing_pb2.InformationAsked = fact.information_asked
    requested = triage_pb2.InformationRequested(
        question=asked.question,
        answer_by=context.rules.until("answer", context.now, state.known.council),
        supplied_before=state.known.supplied,
        leg_id=asked.leg_id,
    )
    return [TriageFact(information_requested=requested)]
