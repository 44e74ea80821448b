"""What a partner may say of its leg, and what follows: the same by Kafka and by the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1 import partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import Deadline, Sealed
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import Refused, Why
from services.lifecycle import LEG_MOVES, legal, require
from services.partner_routing.domain.erasing import CONFIRMED, confirmed
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.offers import AreaRules
from services.partner_routing.domain.state import State

REVIEW_CLOCK = "review"
MOST_SPOKEN = 500
"""Facts of one partner's doing about one referral, or of the desk's: who says more needs a conversation, not another
record. What brings something to its end is always taken, and there is an end to it; what could be said for ever is
not."""
MOST_REFUSED = 2 * MOST_SPOKEN
"""From then on a refused reply leaves no record, and no note: each would call for the next."""
FOR_EVER = ("asked", "hold", "progress")
SPOKEN_ENOUGH = "there are too many records of yours", "bring the work to its end, or speak to the desk"
DESK_ENOUGH = "there are too many records of the desk's", "end the work, and raise what is new as another concern"


def own_leg(state: State, leg_id: str, partner_id: str) -> Leg:
    """The partner's own leg; foreign and absent answer alike."""
    leg = state.legs.get(leg_id)
    if leg is None or leg.partner_id != partner_id:
        raise Refused(Why.UNKNOWN, "foreign_leg", "name a leg that was offered to you", field="leg_id")
    return leg


def taken(
    state: State, leg: Leg, reply: partner_pb2.Reply, note: Sealed | None, rules: AreaRules, now: datetime
) -> list[RoutingFact]:
    """The facts that a partner's step leads to, or Refused with the steps that are legal now."""
    step: str = reply.WhichOneof("step") or "none"
    if step == CONFIRMED:
        return confirmed(leg, reply.erasure_confirmed)
    name = "hold" if step == "progress" and reply.progress.on_hold else step
    enough = state.spoken.get(leg.partner_id, 0) >= MOST_SPOKEN
    barred = dict.fromkeys(FOR_EVER, SPOKEN_ENOUGH) if enough else {}
    if step == "told" and not _may_tell(state, leg, reply.told.audience):
        barred["told"] = "there is nobody for you to tell", "name who is still to be told"
    if state.known.withdrawn:
        barred["asked"] = "the concern was withdrawn", "nobody can be asked any more"
    elif leg.answered < leg.asked:
        barred["asked"] = "a question of yours is open", "wait for the raiser's answer"
    require(LEG_MOVES, name, leg.stands, ROLE_PARTNER, but=barred)
    if step == "asked" and note is None:
        raise Refused(Why.ILLEGAL, "the referral was erased", "nobody can be asked any more")
    if step == "outcome" and note is None and state.request(leg).end_report:
        right = "the same with what was done, for which need, and how it stands now, as the note"
        raise Refused(Why.ILLEGAL, "this work ends with a report, and there is none", right, legal=_steps(leg, barred))
    fact = _fact(leg, step, reply, note, _review_by(leg, rules, now, state.known.council))
    work_clock = state.request(leg).work_clock
    if step == "accepted" and work_clock:
        raised_at = state.known.raised_at
        start = raised_at.ToDatetime(UTC) if raised_at is not None and rules.from_raising(work_clock) else now
        fact.accepted.work_by.CopyFrom(rules.until(work_clock, start, state.known.council))
        fact.accepted.work_from.FromDatetime(start)
    return [fact]


def _steps(leg: Leg, barred: Mapping[str, tuple[str, str]]) -> list[str]:
    return legal(LEG_MOVES, leg.stands, ROLE_PARTNER, barred)


def _may_tell(state: State, leg: Leg, audience: int) -> bool:
    return (
        leg.id not in state.before and leg.offered.lead and audience in state.audiences and audience not in state.told
    )


def _review_by(leg: Leg, rules: AreaRules, now: datetime, council: str) -> Deadline:
    """When the work is looked at again: from now, or after a rest as much later as it rested."""
    if leg.held is None or leg.review_by is None:
        return rules.until(REVIEW_CLOCK, now, council)
    return rules.resumed(REVIEW_CLOCK, leg.review_by.at.ToDatetime(UTC), leg.held, now, council)


def _fact(leg: Leg, step: str, reply: Any, note: Sealed | None, review_by: Deadline) -> RoutingFact:
    leg_id = leg.id
    match step:
        case "received":
            return RoutingFact(received=routing_pb2.Received(leg_id=leg_id))
        case "accepted":
            return RoutingFact(accepted=routing_pb2.Accepted(leg_id=leg_id, review_by=review_by))
        case "declined":
            reason = reply.declined.reason
            return RoutingFact(declined=routing_pb2.Declined(leg_id=leg_id, reason=reason, note=note))
        case "progress" if reply.progress.on_hold:
            return RoutingFact(on_hold=routing_pb2.OnHold(leg_id=leg_id))
        case "progress":
            return RoutingFact(in_progress=routing_pb2.InProgress(leg_id=leg_id, review_by=review_by))
        case "outcome":
            outcome = reply.outcome.outcome
            return RoutingFact(completed=routing_pb2.Completed(leg_id=leg_id, outcome=outcome, note=note))
        case "failed":
            reason = reply.failed.reason
            return RoutingFact(failed=routing_pb2.Failed(leg_id=leg_id, reason=reason, note=note))
        case "told":
            told = routing_pb2.OutcomeTold(audience=reply.told.audience, not_told=reply.told.not_told)
            return RoutingFact(outcome_told=told)
        case "asked":
            return RoutingFact(information_asked=routing_pb2.InformationAsked(leg_id=leg_id, question=note))
        case "recall_acknowledged":
            return RoutingFact(recall_acknowledged=routing_pb2.RecallAcknowledged(leg_id=leg_id))
        case _:
            raise ValueError(f"no step {step}")


def of_request(request: Any) -> partner_pb2.Reply:
    """The step that an inbox request stands for; the reply that a partner with Kafka would have written."""
    match request:
        case routing_pb2.AcknowledgeRequest():
            return partner_pb2.Reply(received=partner_pb2.ReceivedReply())
        case routing_pb2.AcceptRequest():
            return partner_pb2.Reply(accepted=partner_pb2.AcceptedReply())
        case routing_pb2.DeclineRequest():
            return partner_pb2.Reply(declined=partner_pb2.DeclinedReply(reason=request.reason))
        case routing_pb2.ProgressRequest():
            return partner_pb2.Reply(progress=partner_pb2.ProgressReply(on_hold=request.on_hold))
        case routing_pb2.CompleteRequest():
            return partner_pb2.Reply(outcome=partner_pb2.OutcomeReply(outcome=request.outcome))
        case routing_pb2.FailRequest():
            return partner_pb2.Reply(failed=partner_pb2.FailedReply(reason=request.reason))
        case routing_pb2.TellRequest():
            return partner_pb2.Reply(told=request.told)
        case routing_pb2.AskRaiserRequest():
            return partner_pb2.Reply(asked=partner_pb2.AskedReply())
        case routing_pb2.ConfirmErasureRequest():
            said = partner_pb2.ErasureConfirmedReply(subjects=request.subjects)
            return partner_pb2.Reply(erasure_confirmed=said)
        case routing_pb2.AcknowledgeRecallRequest():
            return partner_pb2.Reply(recall_acknowledged=partner_pb2.RecallAcknowledgedReply())
        case _:
            raise TypeError(f"the inbox knows no {type(request).__name__}")
