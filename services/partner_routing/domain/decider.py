"""Partner-routing's decider: from what triage asks, partners say and clocks bring, to offers, ends and closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1 import procedure_pb2, routing_pb2
from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_CONSENT_ENDED,
    CAME_BACK_REASON_RECALLED,
    CAME_BACK_REASON_UNSAFE_TO_CONTACT,
    LAWFUL_BASIS_CONSENT,
    Deadline,
)
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.partner_pb2 import DECLINE_REASON_UNSAFE_TO_CONTACT as UNSAFE_TO_CONTACT
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import ClockRanOut, Command, Context, Input, PartnerReply, Refused, Upstream, Why
from services.frozen import replace
from services.known import learned
from services.lifecycle import UNANSWERED
from services.marks import due, watched
from services.partner_routing.domain.accompanying import record_step, suggested
from services.partner_routing.domain.asked import with_triage
from services.partner_routing.domain.closing import closing
from services.partner_routing.domain.conferring import (
    call_conference,
    complete_decision,
    record_conference,
    record_stage,
)
from services.partner_routing.domain.counting import counted
from services.partner_routing.domain.desk import read, recall, recalled, record_told, shield
from services.partner_routing.domain.erasing import told_to_delete
from services.partner_routing.domain.leg import ALREADY_KNOWN, Leg, taken_up
from services.partner_routing.domain.offers import AreaRules, answers, came_back, offers, open_legs, rerouted
from services.partner_routing.domain.replies import (
    DESK_ENOUGH,
    MOST_REFUSED,
    MOST_SPOKEN,
    SPOKEN_ENOUGH,
    of_request,
    own_leg,
    taken,
)
from services.partner_routing.domain.state import STAFF, State, speaker, with_routing

ROUTING = "partner-routing"
INTAKE = "intake"
TRIAGE = "triage"
PARTNER_REMOVED = "partner_removed"
IN_ERROR = "entered_in_error"
CONSENT_ENDED = "consent_ended"
FOR_EVER_BY_CALL = (
    routing_pb2.RecordVictimStepRequest,
    procedure_pb2.RecordStageRequest,
    procedure_pb2.CallConferenceRequest,
    routing_pb2.ShieldRequest,
)
"""What could be recorded again and again."""
_NEW = State()
"""For all: a state is never changed, and making one takes as long as a fact."""


class RoutingDecider:
    """See Decider."""

    writer = ROUTING
    fact_type: type[Message] = RoutingFact
    upstream_types: Mapping[str, type[Message]] = {INTAKE: IntakeFact, TRIAGE: TriageFact}
    opened_by = INTAKE

    def initial(self) -> State:
        """Nothing known yet."""
        return _NEW

    def evolve(self, state: State, writer: str, fact: Any) -> State:
        """Each writer's facts change a part of their own."""
        if writer == INTAKE:
            return replace(state, known=learned(state.known, fact))
        if writer == TRIAGE:
            return replace(state, asked=with_triage(state.asked, fact))
        return with_routing(state, fact)

    def decide(self, state: State, given: Input, context: Context) -> Sequence[RoutingFact]:
        """What follows: first from the input itself, then from where it leaves the referral."""
        rules: AreaRules = context.rules
        first = self._first(state, given, context)
        if isinstance(given, PartnerReply) and given.wrong:
            return first
        first = [*first, *_by_rule(answers(self._after(state, first, context), rules, context.now), context)]
        after = self._after(state, first, context)
        learned_more = isinstance(given, Command) or (isinstance(given, Upstream) and given.writer == INTAKE)
        rights = _by_rule(suggested(after, rules, learned=learned_more), context)
        first, after = [*first, *rights], self._after(after, rights, context)
        then = offers(after, rules, context.now)
        if then and state.tell_by is not None:  # somebody further is asked: everybody is told anew
            began = RoutingFact(round_began=routing_pb2.RoundBegan(round=state.round + 1))
            first, after = [*first, *_by_rule([began], context)], self._after(after, [began], context)
            then = offers(after, rules, context.now)
        after = self._after(after, then, context)
        return [*first, *_by_rule([*then, *closing(after, rules, context.now)], context)]

    def view(self, state: State) -> dict[str, Any]:
        """What inboxes, clocks and figures need."""
        wanted = state.wanted
        return {
            "partners": sorted({leg.partner_id for leg in wanted}),
            "inbox": [{"partner": leg.partner_id, "urgency": leg.urgency} for leg in wanted],
            "clocks": watched(state.clocks),
            "closed": state.closed,
            "counted": counted(state),
        }

    def _first(self, state: State, given: Input, context: Context) -> list[RoutingFact]:
        match given:
            case Upstream():
                return _by_rule(_heard(state, given, context), context)
            case ClockRanOut():
                return _ran_out(state, given, context)
            case PartnerReply():
                return self._replied(state, given, context)
            case Command():
                return self._commanded(state, given, context)

    def _replied(self, state: State, given: PartnerReply, context: Context) -> list[RoutingFact]:
        """A reply never fails: what cannot be taken becomes a fact, and a note to the partner."""
        if given.wrong:
            return [_refused(given, given.wrong)]
        leg = own_leg(state, given.reply.leg_id, given.partner_id)
        try:
            facts = taken(
                state, leg, given.reply, context.gathered["notes"].get(given.cause_id), context.rules, context.now
            )
        except Refused:
            heard_enough = state.spoken.get(given.partner_id, 0) >= MOST_REFUSED
            return [] if heard_enough else [_refused(given, "illegal")]
        return facts + self._consequences(state, facts, context)

    def _commanded(self, state: State, given: Command, context: Context) -> list[RoutingFact]:
        body: Any = given.body
        if isinstance(body, FOR_EVER_BY_CALL):
            # Who is to be hidden is hidden long after what else is said has found its end.
            hides = isinstance(body, routing_pb2.ShieldRequest) and not body.lift
            _room_for_more(state, given, MOST_REFUSED if hides else MOST_SPOKEN)
        match body:
            case routing_pb2.ReadOutcomeRequest():
                return read(state, given)
            case routing_pb2.RecordToldRequest():
                return record_told(state, body)
            case routing_pb2.RecallRequest():
                taken_back = recall(state, body, given.actor, context)
                return taken_back + _by_rule(_emptied(state, self._after(state, taken_back, context)), context)
            case routing_pb2.ShieldRequest():
                return shield(state, body, given.actor)
            case routing_pb2.RecordVictimStepRequest():
                return record_step(state, given, body, context)
            case procedure_pb2.RecordStageRequest():
                return record_stage(state, given, body, context)
            case procedure_pb2.CallConferenceRequest():
                called, invited = call_conference(state, given, body, context)
                return called + _by_rule(invited, context)
            case procedure_pb2.RecordConferenceRequest():
                held, passed = record_conference(state, given, body, context)
                return held + _by_rule(passed, context)
            case procedure_pb2.CompleteDecisionRequest():
                return complete_decision(state, given, body)
            case routing_pb2.ReleasePartnerRequest():
                ended = [leg for leg in open_legs(state) if leg.partner_id == body.partner_id]
                return [fact for leg in ended for fact in _expired(state, leg.id, PARTNER_REMOVED, context)]
        leg = own_leg(state, body.command.leg_id, given.actor.id)
        facts = taken(state, leg, of_request(body), given.sealed, context.rules, context.now)
        return facts + self._consequences(state, facts, context)

    def _consequences(self, state: State, facts: list[RoutingFact], context: Context) -> list[RoutingFact]:
        """A no leads on to the next partner, to the desk where contact is unsafe, and nowhere where the partner
        works with the person already: the leg is joined to that."""
        [fact] = facts
        if fact.WhichOneof("fact") != "declined" or fact.declined.reason == ALREADY_KNOWN:
            return []
        ended = state.legs[fact.declined.leg_id]
        if fact.declined.reason == UNSAFE_TO_CONTACT:
            return _by_rule([came_back(ended.id, state.request(ended), CAME_BACK_REASON_UNSAFE_TO_CONTACT)], context)
        return _by_rule(rerouted(state, ended, context.rules, context.now, to_lead=False), context)

    def _after(self, state: State, facts: list[RoutingFact], context: Context) -> State:
        """The state once these facts, whose headers are still empty, have happened."""
        for fact in facts:
            happened = RoutingFact()
            happened.CopyFrom(fact)
            happened.header.sequence = state.sequence + 1
            happened.header.occurred_at.FromDatetime(context.now)
            state = with_routing(state, happened)
        return state


def _heard(state: State, given: Upstream, context: Context) -> list[RoutingFact]:
    """Opened again: everybody is told anew. Entered in error: whoever works on it stops."""
    fact: Any = given.fact
    match fact.WhichOneof("fact"):
        case "reopened":
            return [RoutingFact(round_began=routing_pb2.RoundBegan(round=state.round + 1))]
        case "entered_in_error":
            return [recalled(state, leg.id, IN_ERROR, context) for leg in open_legs(state)]
        case "erased" if given.writer == INTAKE:
            return told_to_delete(state, fact.erased)
        case "amended" if not state.known.consents:
            return _consent_ended(state, context)
        case _:
            return []


def _consent_ended(state: State, context: Context) -> list[RoutingFact]:
    """Work that rests on consent stops with it; where that was all, the desk decides what now. Other work goes on."""
    legs = [leg for leg in open_legs(state) if leg.offered.basis == LAWFUL_BASIS_CONSENT]
    facts = [recalled(state, leg.id, CONSENT_ENDED, context) for leg in legs]
    others = [leg for leg in state.current if leg not in legs and (leg.is_open or taken_up(leg))]
    last = [leg for leg in legs if leg.id not in state.before][-1:]
    if others or state.with_desk:
        return facts
    return [*facts, *(came_back(leg.id, state.request(leg), CAME_BACK_REASON_CONSENT_ENDED) for leg in last)]


def _emptied(before: State, after: State) -> list[RoutingFact]:
    """A referral of which the desk took everything back is the desk's again.

    What it takes back of an earlier round, which was open when everybody was to be told anew, is not what it waits for.
    """
    ended = [leg for leg in after.current if leg.state != before.legs[leg.id].state]
    if after.with_desk or any(leg.is_open or taken_up(leg) for leg in after.current):
        return []
    return [came_back(leg.id, after.request(leg), CAME_BACK_REASON_RECALLED) for leg in ended]


def _ran_out(state: State, given: ClockRanOut, context: Context) -> list[RoutingFact]:
    """Who must act is told how far a clock came. At its end silence expires, and the untold are recorded as such."""
    told = due((clock for clock in state.clocks if clock.deadline.clock == given.clock), context.now)
    facts = [RoutingFact(clock_reached=reached) for reached in told]
    for reached in told:
        if reached.percent < 100:
            continue
        if reached.deadline == state.tell_by:
            overdue = routing_pb2.TellingOverdue
            untold = sorted(state.audiences - state.told - state.overdue)
            facts += [
                RoutingFact(telling_overdue=overdue(audience=audience, clock=given.clock))  # type: ignore[arg-type]
                for audience in untold
            ]
        elif reached.leg_id and _unanswered(state.legs[reached.leg_id], reached.deadline):
            facts += _expired(state, reached.leg_id, given.clock, context)
    return facts


def _unanswered(leg: Leg, deadline: Deadline) -> bool:
    """True where it was the clock for the partner's answer."""
    return leg.state in UNANSWERED and leg.offered.respond_by == deadline


def _expired(state: State, leg_id: str, clock: str, context: Context) -> list[RoutingFact]:
    """The leg is over; the lead agency is asked in its place, so that silence is somebody's."""
    expired = RoutingFact(expired=routing_pb2.Expired(leg_id=leg_id, clock=clock))
    then = rerouted(state, state.legs[leg_id], context.rules, context.now, to_lead=True)
    return _by_rule([expired, *then], context)


def _room_for_more(state: State, given: Command, most: int) -> None:
    """A document that no store takes would stop routing for everybody."""
    who = speaker(given.actor)
    if who is not None and state.spoken.get(who, 0) >= most:
        raise Refused(Why.ILLEGAL, *(DESK_ENOUGH if who == STAFF else SPOKEN_ENOUGH))


def _by_rule(facts: list[RoutingFact], context: Context) -> list[RoutingFact]:
    """Facts that routing decided by its rules, and nobody else did."""
    for fact in facts:
        fact.header.actor.CopyFrom(context.service)
    return facts


def _refused(given: PartnerReply, why: str) -> RoutingFact:
    reply = given.reply
    return RoutingFact(
        reply_refused=routing_pb2.ReplyRefused(
            partner_id=given.partner_id,
            reply_id=reply.reply_id if reply is not None else "",
            leg_id=reply.leg_id if reply is not None else "",
            why=why,
        )
    )
