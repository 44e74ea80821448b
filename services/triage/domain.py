"""Triage's decider: grades by the area's rules, asks for legs, and takes the desk's commands."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from google.protobuf.message import Message

from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_SUPERVISOR
from safeguarding.v1.common_pb2 import (
    GRADE_RED,
    GRADE_UNSPECIFIED,
    Actor,
    Deadline,
    Grade,
)
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Command, Context, Input, Refused, Upstream, Why
from services.known import NOTHING, Known, learned
from services.links import Links, judge, new_links, with_counts, with_fact

TRIAGE = "triage"
INTAKE = "intake"
LEGS = uuid.UUID("7f0e7d5a-9f6b-5f0a-8c57-0a0f5e9f6d11")
"""Namespace of leg ids."""
GRADE_WORDS: Mapping[int, str] = {number: name.removeprefix("GRADE_").lower() for name, number in Grade.items()}


class AskedLeg(Protocol):
    """A leg that rules ask for."""

    service: Any
    purpose: str
    basis: Any
    necessity: str
    rule_ids: Sequence[str]
    respond_clock: str


class Fired(Protocol):
    """A rule that fired."""

    def as_fired(self) -> triage_pb2.FiredRule:
        """The rule as a fact keeps it."""
        ...


class Assessed(Protocol):
    """What the rules say of a referral."""

    grade: Any
    fired: Sequence[Fired]
    legs: Sequence[AskedLeg]
    floor: Any
    """The lowest grade that a person may set; unspecified where any may be."""

    def regraded(self, grade: Any) -> Assessed:
        """The same under a grade that a person set."""
        ...


class AreaRules(Protocol):
    """The area's rules and clocks, as a decision needs them."""

    def assess(self, raised: intake_pb2.Raised, raiser: Actor) -> Assessed:
        """The grade, the rules that fired, and the legs that they ask for."""
        ...

    def deadline(self, clock: str, start: datetime) -> datetime:
        """When the named clock runs out, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """A referral as triage sees it: what it knows, and what it decided."""

    known: Known = NOTHING
    grade: int = GRADE_UNSPECIFIED
    fired: tuple[triage_pb2.FiredRule, ...] = ()
    decide_by: Deadline | None = None
    answer_by: Deadline | None = None
    asked: int = 0
    """How many questions were asked."""
    services: frozenset[int] = frozenset()
    """The kinds of partner that were asked for."""
    ended: bool = False
    """True after no further action or entered in error, until reopened."""
    sequence: int = 0
    links: Links = field(default_factory=dict)
    """Other referrals that seem to be about the same."""

    @property
    def concern(self) -> intake_pb2.Raised | None:
        """What was raised, as rules are to see it: with what linked referrals add to its counts."""
        raised = self.known.raised
        return with_counts(raised, self.known.raised_at, self.links) if raised is not None else None

    @property
    def awaiting_information(self) -> bool:
        """True while the raiser's answer is awaited."""
        return self.asked > self.known.supplied

    @property
    def waits_for_desk(self) -> bool:
        """True where the rules did not decide, and the desk has not."""
        return self.grade != GRADE_UNSPECIFIED and not self.services and not self.ended


class TriageDecider:
    """See Decider."""

    writer = TRIAGE
    fact_type: type[Message] = TriageFact
    upstream_types: Mapping[str, type[Message]] = {INTAKE: IntakeFact}
    opened_by = INTAKE

    def initial(self) -> State:
        """Nothing known yet."""
        return State()

    def evolve(self, state: State, writer: str, fact: Any) -> State:
        """Intake's facts change what is known, our own what was decided."""
        if writer == INTAKE:
            return replace(state, known=learned(state.known, fact))
        state = replace(state, sequence=fact.header.sequence)
        match fact.WhichOneof("fact"):
            case "graded":
                graded: triage_pb2.Graded = fact.graded
                return replace(
                    state,
                    grade=graded.grade,
                    fired=state.fired if graded.overridden else tuple(graded.fired),
                    decide_by=graded.decide_by,
                )
            case "information_requested":
                return replace(state, asked=state.asked + 1, answer_by=fact.information_requested.answer_by)
            case "routed":
                asked_for = {leg.service for leg in fact.routed.legs}
                return replace(state, services=state.services | asked_for)
            case "no_further_action" | "entered_in_error":
                return replace(state, ended=True)
            case "reopened":
                return replace(state, ended=False)
            case "linked" | "link_confirmed" | "link_rejected":
                return replace(state, links=with_fact(state.links, fact))
            case _:
                return state

    def decide(self, state: State, given: Input, context: Context) -> Sequence[TriageFact]:
        """What follows from a fact of intake's, or from a command of the desk's."""
        if isinstance(given, Upstream):
            return _assess(state, given, context)
        if not isinstance(given, Command):
            raise TypeError(f"triage takes no {type(given).__name__}")
        if state.known.raised is None or state.grade == GRADE_UNSPECIFIED:
            raise Refused(Why.UNKNOWN, "no such referral", "name a referral of the worklist", field="referral_id")
        if state.ended:
            raise Refused(Why.ILLEGAL, "triage of this referral has ended", "a supervisor may reopen it")
        body: Any = given.body
        match body:
            case triage_pb2.OverrideGradeRequest():
                return _override(state, given, body, context)
            case triage_pb2.RequestInformationRequest():
                return _ask(state, given, context)
            case triage_pb2.TakeNoFurtherActionRequest():
                return _take_no_further_action(state, given, body)
            case triage_pb2.RouteRequest():
                return _route(state, given, body)
            case triage_pb2.ConfirmLinkRequest() | triage_pb2.RejectLinkRequest():
                return _judge_link(state, given, body, context)
            case _:
                raise TypeError(f"triage knows no {type(body).__name__}")

    def view(self, state: State) -> dict[str, Any]:
        """What the worklist needs."""
        raised = state.known.raised
        return {
            "waiting": state.waits_for_desk,
            "grade": state.grade,
            "kinds": list(raised.kinds) if raised else [],
            "area": raised.area if raised else "",
            "decide_by": _moment(state.decide_by),
        }


def _assess(state: State, given: Input, context: Context) -> list[TriageFact]:
    """Grade what was raised; grade again, upwards only, what was learned since, and ask for what is new."""
    rules: AreaRules = context.rules
    known = state.known
    if known.raised is None or known.raiser is None or known.withdrawn or state.ended:
        return []
    facts = new_links(state.links, context.gathered.get("links", {}).get(given.referral_id, ()))
    for fact in facts:
        state = replace(state, links=with_fact(state.links, fact))
    assessed = rules.assess(state.concern or known.raised, known.raiser)
    if assessed.grade > state.grade:
        fired = [rule.as_fired() for rule in assessed.fired]
        decide_by = _clock(rules, f"decide_{GRADE_WORDS[assessed.grade]}", context.now)
        facts.append(TriageFact(graded=triage_pb2.Graded(grade=assessed.grade, fired=fired, decide_by=decide_by)))
    if state.grade > assessed.grade:
        assessed = assessed.regraded(state.grade)
    legs = [leg for leg in assessed.legs if leg.service not in state.services]
    if legs:
        facts.append(TriageFact(routed=triage_pb2.Routed(legs=_requested(given, legs))))
    return facts


def _judge_link(
    state: State, given: Command, body: triage_pb2.ConfirmLinkRequest | triage_pb2.RejectLinkRequest, context: Context
) -> list[TriageFact]:
    """The judgement, and what the rules make of it: a link that counts again may reach a threshold."""
    judged = judge(state.links, body)
    after = _assess(replace(state, links=with_fact(state.links, judged)), given, context)
    for fact in after:
        fact.header.actor.CopyFrom(context.service)
    return [judged, *after]


def _requested(given: Input, legs: Iterable[AskedLeg]) -> list[triage_pb2.RequestedLeg]:
    return [
        triage_pb2.RequestedLeg(
            leg_id=_leg_id(given, leg.service),
            service=leg.service,
            purpose=leg.purpose,
            basis=leg.basis,
            necessity=leg.necessity,
            rule_ids=leg.rule_ids,
            respond_clock=leg.respond_clock,
        )
        for leg in legs
    ]


def _override(
    state: State, given: Command, body: triage_pb2.OverrideGradeRequest, context: Context
) -> list[TriageFact]:
    if body.grade == state.grade:
        raise Refused(
            Why.ILLEGAL, "the referral has this grade", "name another grade", field="grade", legal=_legal(state)
        )
    if body.grade < state.grade:
        _may_lower(state, given, body, context.rules)
    decide_by = _clock(context.rules, f"decide_{GRADE_WORDS[body.grade]}", context.now)
    graded = triage_pb2.Graded(grade=body.grade, overridden=True, reason=given.sealed, decide_by=decide_by)
    return [TriageFact(graded=graded)]


def _may_lower(state: State, given: Command, body: triage_pb2.OverrideGradeRequest, rules: AreaRules) -> None:
    if not body.reason.strip():
        raise Refused(Why.INVALID, "a lower grade without a reason", "say why it is less urgent", field="reason")
    if state.grade == GRADE_RED and given.actor.role != ROLE_SUPERVISOR:
        raise Refused(Why.FORBIDDEN, "only a supervisor lowers a RED grade", "ask a supervisor")
    known = state.known
    concern = state.concern
    floor = rules.assess(concern, known.raiser).floor if concern and known.raiser else GRADE_UNSPECIFIED
    if body.grade < floor:
        raise Refused(
            Why.ILLEGAL,
            f"a rule that fired holds this referral at {GRADE_WORDS[floor].upper()}",
            "judgement may raise this grade, and never lowers it",
            field="grade",
        )


def _ask(state: State, given: Command, context: Context) -> list[TriageFact]:
    if state.awaiting_information:
        raise Refused(Why.ILLEGAL, "a question is open", "wait for the answer", legal=_legal(state))
    answer_by = _clock(context.rules, "answer", context.now)
    asked = triage_pb2.InformationRequested(question=given.sealed, answer_by=answer_by)
    return [TriageFact(information_requested=asked)]


def _take_no_further_action(
    state: State, given: Command, body: triage_pb2.TakeNoFurtherActionRequest
) -> list[TriageFact]:
    if state.services:
        raise Refused(
            Why.ILLEGAL, "partners were asked already", "recall the legs, or let them finish", legal=_legal(state)
        )
    if state.grade == GRADE_RED and given.actor.role != ROLE_SUPERVISOR:
        raise Refused(Why.FORBIDDEN, "only a supervisor ends a RED referral", "ask a supervisor")
    return [TriageFact(no_further_action=triage_pb2.NoFurtherActionTaken(reason=body.reason, note=given.sealed))]


def _route(state: State, given: Command, body: triage_pb2.RouteRequest) -> list[TriageFact]:
    wanted = [leg.service for leg in body.legs]
    if len(set(wanted)) < len(wanted) or state.services.intersection(wanted):
        raise Refused(
            Why.ILLEGAL,
            "a leg for this kind of partner exists",
            "name kinds that were not asked yet",
            field="legs",
            legal=_legal(state),
        )
    legs = [
        triage_pb2.RequestedLeg(
            leg_id=_leg_id(given, leg.service),
            service=leg.service,
            purpose=leg.purpose,
            basis=leg.basis,
            necessity=leg.necessity,
            respond_clock=f"respond_{GRADE_WORDS[state.grade]}",
        )
        for leg in body.legs
    ]
    return [TriageFact(routed=triage_pb2.Routed(legs=legs))]


def _legal(state: State) -> list[str]:
    moves = ["OverrideGrade", "Route"]
    if not state.awaiting_information:
        moves.append("RequestInformation")
    if not state.services:
        moves.append("TakeNoFurtherAction")
    if state.links:
        moves += ["ConfirmLink", "RejectLink"]
    return moves


def _leg_id(given: Input, service: int) -> str:
    return str(uuid.uuid5(LEGS, f"{given.referral_id}/{given.cause_id}/{service}"))


def _clock(rules: AreaRules, name: str, now: datetime) -> Deadline:
    deadline = Deadline(clock=name)
    deadline.at.FromDatetime(rules.deadline(name, now))
    return deadline


def _moment(deadline: Deadline | None) -> Any:
    return deadline.at.ToMilliseconds() if deadline is not None else None
