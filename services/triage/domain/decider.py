"""Triage's decider: grades by the area's rules, asks for legs, and takes the desk's commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1 import triage_pb2
from safeguarding.v1.common_pb2 import Deadline
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Command, Context, Input, Upstream
from services.known import learned
from services.triage.domain.desk import commanded, leg_id
from services.triage.domain.state import GRADE_WORDS, AreaRules, AskedLeg, State, clock

TRIAGE = "triage"
INTAKE = "intake"


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
            case _:
                return state

    def decide(self, state: State, given: Input, context: Context) -> Sequence[TriageFact]:
        """What follows from a fact of intake's, or from a command of the desk's."""
        if isinstance(given, Upstream):
            return _assess(state, given, context)
        if not isinstance(given, Command):
            raise TypeError(f"triage takes no {type(given).__name__}")
        return commanded(state, given, context)

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


def _assess(state: State, given: Upstream, context: Context) -> list[TriageFact]:
    """Grade what was raised; grade again, upwards only, what was learned since, and ask for what is new."""
    rules: AreaRules = context.rules
    known = state.known
    if known.raised is None or known.raiser is None or known.withdrawn or state.ended:
        return []
    assessed = rules.assess(known.raised, known.raiser)
    facts: list[TriageFact] = []
    if assessed.grade > state.grade:
        fired = [rule.as_fired() for rule in assessed.fired]
        decide_by = clock(rules, f"decide_{GRADE_WORDS[assessed.grade]}", context.now)
        facts.append(TriageFact(graded=triage_pb2.Graded(grade=assessed.grade, fired=fired, decide_by=decide_by)))
    if state.grade > assessed.grade:
        assessed = assessed.regraded(state.grade)
    legs = [leg for leg in assessed.legs if leg.service not in state.services]
    if legs:
        facts.append(TriageFact(routed=triage_pb2.Routed(legs=_requested(given, legs))))
    return facts


def _requested(given: Upstream, legs: Iterable[AskedLeg]) -> list[triage_pb2.RequestedLeg]:
    return [
        triage_pb2.RequestedLeg(
            leg_id=leg_id(given, leg.service),
            service=leg.service,
            purpose=leg.purpose,
            basis=leg.basis,
            necessity=leg.necessity,
            rule_ids=leg.rule_ids,
            respond_clock=leg.respond_clock,
        )
        for leg in legs
    ]


def _moment(deadline: Deadline | None) -> Any:
    return deadline.at.ToMilliseconds() if deadline is not None else None
