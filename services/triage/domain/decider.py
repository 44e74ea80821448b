"""Triage's decider: grades by the area's rules, asks for legs, and takes the desk's commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1 import triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import ClockReached, Deadline
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import ClockRanOut, Command, Context, Input, Upstream
from services.frozen import replace
from services.known import learned
from services.links import new_links, with_fact
from services.marks import due, watched
from services.moments import moment
from services.triage.domain.arriving import ask_for_partner, brought, remind, take_back
from services.triage.domain.desk import commanded, leg_id
from services.triage.domain.state import AreaRules, AskedLeg, State, to_decide

TRIAGE = "triage"
INTAKE = "intake"
ROUTING = "partner-routing"
_NEW = State()
"""For all: a state is never changed, and making one takes as long as a fact."""


TASKS = frozenset(
    {"outcome_told", "victim_recorded", "stage_reached", "conference_held", "decision_done", "recall_acknowledged"}
)
"""Facts of routing's by which something is done that a clock of the desk's waits for."""


class TriageDecider:
    """See Decider."""

    writer = TRIAGE
    fact_type: type[Message] = TriageFact
    upstream_types: Mapping[str, type[Message]] = {INTAKE: IntakeFact, ROUTING: RoutingFact}
    opened_by = INTAKE

    def initial(self) -> State:
        """Nothing known yet."""
        return _NEW

    def evolve(self, state: State, writer: str, fact: Any) -> State:
        """Intake's facts change what is known, our own what was decided, routing's whether it is closed."""
        if writer == INTAKE:
            return replace(state, known=learned(state.known, fact))
        if writer == ROUTING:
            return _followed(state, fact)
        header = fact.header
        by_people = header.actor.role != ROLE_SERVICE
        state = replace(state, sequence=header.sequence, said=state.said + by_people)
        at = moment(header.occurred_at)
        match fact.WhichOneof("fact"):
            case "graded":
                graded: triage_pb2.Graded = fact.graded
                return replace(
                    state,
                    grade=graded.grade,
                    fired=state.fired if graded.overridden else tuple(graded.fired[:]),
                    decide_by=graded.decide_by,
                    decide_from=at,
                    decide_reached=0,
                    paused=state.paused and at,
                    look_again=0 if graded.overridden else state.look_again,
                )
            case "information_requested":
                asked = fact.information_requested
                return replace(
                    state,
                    answered_after=asked.supplied_before,
                    answer_by=asked.answer_by,
                    answer_from=at,
                    answer_reached=0,
                    paused=state.paused if asked.leg_id else state.paused or at,  # the desk need not wait for a partner
                    look_again=state.look_again if asked.leg_id else 0,
                    asked_for_partner=bool(asked.leg_id)
                    and (state.asked_for_partner or not state.awaiting_information),
                )
            case "clock_reached":
                reached: ClockReached = fact.clock_reached
                if state.answer_by is not None and reached.deadline == state.answer_by:
                    return replace(state, answer_reached=reached.percent)
                return replace(state, decide_reached=reached.percent)
            case "clock_resumed":
                stood = at - (state.paused or at)
                began = state.decide_from and state.decide_from + stood
                return replace(state, decide_by=fact.clock_resumed.deadline, decide_from=began, paused=None)
            case "routed":
                asked_for = {leg.service for leg in fact.routed.legs[:]}
                return replace(
                    state, services=state.services | asked_for, ever=state.ever | asked_for, came_back={}, look_again=0
                )
            case "no_further_action":
                return replace(state, ended=not state.services, came_back={}, look_again=0)
            case "brought_to_desk":
                told: triage_pb2.BroughtToDesk = fact.brought_to_desk
                lay_there = told.decide_by == state.decide_by
                return replace(
                    state,
                    look_again=told.reason,
                    late=told if told.HasField("clock") else None,
                    decide_by=told.decide_by,
                    decide_from=state.decide_from if lay_there else at,
                    decide_reached=state.decide_reached if lay_there else 0,
                    paused=None,
                )
            case "taken_back":
                back: triage_pb2.TakenBack = fact.taken_back
                return replace(
                    state,
                    ended=False,
                    services=state.services - {back.service},
                    came_back={**state.came_back, back.leg_id: back},
                    decide_by=back.decide_by,
                    decide_from=at,
                    decide_reached=0,
                    paused=None,
                )
            case "entered_in_error":
                return replace(state, hidden=True)
            case "linked" | "link_confirmed" | "link_rejected":
                return replace(state, links=with_fact(state.links, fact))
            case "thrive_recorded":
                return replace(state, thrive=(*state.thrive, fact), look_again=0)
            case "reopened":
                reopened: triage_pb2.Reopened = fact.reopened
                return replace(
                    state,
                    ended=False,
                    services=frozenset(),
                    came_back={},
                    look_again=0,
                    decide_by=reopened.decide_by,
                    decide_from=at,
                    decide_reached=0,
                    paused=None,
                    reopened_after=reopened.closings,
                )
            case _:
                return state

    def decide(self, state: State, given: Input, context: Context) -> Sequence[TriageFact]:
        """What follows from a fact of intake's, or from a command of the desk's."""
        if isinstance(given, Upstream) and given.writer == ROUTING:
            return [
                *take_back(given, state, context),
                *ask_for_partner(given, state, context),
                *remind(given, state, context),
            ]
        if isinstance(given, Upstream):
            answered = not state.awaiting_information and given.fact.WhichOneof("fact") == "information_supplied"
            assessed = _assess(state, given, context)
            later = brought(state, given, assessed, context)
            return [*(_resumed(state, context) if answered else []), *assessed, *later]
        if isinstance(given, ClockRanOut):
            return _ran_out(state, context)
        if not isinstance(given, Command):
            raise TypeError(f"triage takes no {type(given).__name__}")
        facts = commanded(state, given, context)
        return [*facts, *_rethought(state, facts, given, context)]

    def view(self, state: State) -> dict[str, Any]:
        """What the worklist needs."""
        raised = state.known.raised
        return {
            "waiting": state.waits_for_desk,
            "grade": state.grade,
            "kinds": raised.kinds[:] if raised else [],
            "area": raised.area if raised else "",
            "decide_by": _moment(state.decide_by),
            "clocks": watched(state.clocks),
        }


def _assess(state: State, given: Input, context: Context) -> list[TriageFact]:
    """Grade what was raised; grade again, upwards only, what was learned since, and ask for what is new."""
    rules: AreaRules = context.rules
    known = state.known
    if known.raised is None or known.raiser is None or known.withdrawn or state.ended or state.hidden:
        return []
    facts = new_links(state.links, context.gathered.get("links", {}).get(given.referral_id, ()))
    for fact in facts:
        state = replace(state, links=with_fact(state.links, fact))
    assessed = rules.assess(state.concern or known.raised, known.raiser, state.at_place, state.by_several)
    if assessed.grade > state.grade:
        decide_by = to_decide(assessed.grade, known, context)
        fired = assessed.as_fired()
        facts.append(TriageFact(graded=triage_pb2.Graded(grade=assessed.grade, fired=fired, decide_by=decide_by)))
    if state.grade > assessed.grade:
        assessed = assessed.regraded(state.grade)
    legs = [leg for leg in assessed.legs if leg.service not in state.ever]
    if legs:
        facts.append(
            TriageFact(routed=triage_pb2.Routed(legs=_requested(given, legs, state), intake_sequence=known.sequence))
        )
    return facts


def _rethought(state: State, facts: Sequence[TriageFact], given: Input, context: Context) -> list[TriageFact]:
    """What the rules make of a judged link: one that counts again may reach a threshold."""
    judged = [fact for fact in facts if fact.WhichOneof("fact") in ("link_confirmed", "link_rejected")]
    for fact in judged:
        state = replace(state, links=with_fact(state.links, fact))
    after = _assess(state, given, context) if judged else []
    for fact in after:
        fact.header.actor.CopyFrom(context.service)
    return after


def _followed(state: State, fact: Any) -> State:
    match fact.WhichOneof("fact"):
        case "closed":
            return replace(state, running=False, closings=state.closings + 1)
        case "round_began":
            return replace(state, running=True)
        case kind if kind in TASKS:
            return replace(state, done=state.done + 1)
        case _:
            return state


def _ran_out(state: State, context: Context) -> list[TriageFact]:
    """Who must act is told; once the time for an answer is over, the desk decides with what is there."""
    told = due(state.clocks, context.now)
    facts = [TriageFact(clock_reached=reached) for reached in told]
    over = any(reached.percent == 100 and reached.deadline == state.answer_by for reached in told)
    return [*facts, *_resumed(state, context)] if over else facts


def _resumed(state: State, context: Context) -> list[TriageFact]:
    """The desk's clock, which stood still since a question was asked, runs again."""
    if state.paused is None or state.decide_by is None or not state.waits_for_desk:
        return []
    rules: AreaRules = context.rules
    runs_out = moment(state.decide_by.at)
    deadline = rules.resumed(state.decide_by.clock, runs_out, state.paused, context.now, state.known.council)
    return [TriageFact(clock_resumed=triage_pb2.ClockResumed(deadline=deadline))]


def _requested(given: Input, legs: Iterable[AskedLeg], state: State) -> list[triage_pb2.RequestedLeg]:
    agreed = state.known.consents
    return [
        triage_pb2.RequestedLeg(
            leg_id=leg_id(given, leg.service),
            service=leg.service,
            purpose=leg.purpose,
            basis=leg.basis,
            necessity=leg.necessity,
            rule_ids=leg.rule_ids,
            respond_clock=leg.respond_clock,
            work_clock=leg.work_clock,
            end_report=leg.end_report,
            needs=leg.needs,
            rules=leg.rules,
            without_consent=None if agreed else leg.without_consent,
            if_consent_ends=leg.without_consent if agreed else None,
        )
        for leg in legs
    ]


def _moment(deadline: Deadline | None) -> Any:
    return deadline.at.ToMilliseconds() if deadline is not None else None
