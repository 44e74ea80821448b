"""What rules and clocks do to a referral happens from every state that the table names for it, and from no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_NOBODY_LEFT,
    CONCERN_KIND_ADULT_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.lifecycle import LEG_MOVES, REFERRAL_MOVES, By, Leg, Referral
from services.triage.domain import TriageDecider
from tests.unit.domains import REFERRAL, SUPERVISOR, Life, kinds_of, raised, sealed
from tests.unit.lifecycle.test_moves import AREA, LEG_ACTS, TO_LEG, TO_REFERRAL, leg_at, referral_at
from tests.unit.partner_routing.life import LEG, life_of, request
from tests.unit.partner_routing.test_asking import answer, ask, put

NOTE = sealed(FIELD_GROUP_NARRATIVE, version=2)
OTHER = triage_pb2.Linked(other_referral_id="00000000-0000-4000-8000-000000000002", by="number", score=90)


def amend(life: Life, signs: Signs) -> list[Any]:
    return life.hear("intake", IntakeFact(amended=intake_pb2.Amended(signs=signs)))


def link(life: Life) -> list[Any]:
    life.gathered = {"links": {REFERRAL: [OTHER]}}
    return amend(life, Signs())


def late(life: Life) -> list[Any]:
    by = life.state.answer_by
    return life.run_out("answer", by.at.ToDatetime(life.now.tzinfo)) if by is not None else []


def asked(life: Life) -> list[Any]:
    question = routing_pb2.InformationAsked(question=NOTE, leg_id=LEG)
    return life.hear("partner-routing", RoutingFact(information_asked=question))


def came_back(life: Life) -> list[Any]:
    back = routing_pb2.CameBack(leg_id=LEG, service=SERVICE_KIND_HOUSING, reason=CAME_BACK_REASON_NOBODY_LEFT)
    return life.hear("partner-routing", RoutingFact(came_back=back))


ACTS: dict[str, Callable[[Life], list[Any]]] = {
    "grade": lambda life: amend(life, Signs(weapon=True)),
    "route": lambda life: amend(life, Signs(immediate_danger=True)),
    "link": link,
    "partner asks": asked,
    "answer is late": late,
    "take back": came_back,
    "bring to desk": lambda life: amend(life, Signs()),
}
OF_ROUTING = {"outcome", "close"}
"""Tried in tests/unit/partner_routing."""


def test_the_acts_of_these_tests_are_all_those_of_the_table() -> None:
    by_itself = {move.name for move in REFERRAL_MOVES if set(move.by) <= {By.RULE, By.CLOCK}}

    assert by_itself == set(ACTS) | OF_ROUTING


def test_what_is_raised_is_linked_and_graded_at_once() -> None:
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: [OTHER]}})
    before: Referral = life.state.where
    assert before is Referral.RAISED

    assert kinds_of(life.hear("intake", raised([CONCERN_KIND_ADULT_AT_RISK]))) == ["linked", "graded"]
    assert life.state.where is Referral.IN_TRIAGE


@pytest.mark.parametrize("state", TO_REFERRAL)
@pytest.mark.parametrize("name", ACTS)
def test_it_happens_from_the_states_of_the_table_and_from_no_other(name: str, state: Referral) -> None:
    life = referral_at(state)
    rows = [move for move in REFERRAL_MOVES if move.name == name and state in move.sources]
    fact = next(move.fact for move in REFERRAL_MOVES if move.name == name)

    facts = ACTS[name](life)

    assert (fact in kinds_of(facts)) == bool(rows), kinds_of(facts)
    if rows:
        [row] = rows
        if (name, state) == ("route", Referral.CLOSED):  # routing, which closed it, says that it goes on
            life.hear("partner-routing", RoutingFact(round_began=routing_pb2.RoundBegan(round=1)))
        assert life.state.where is (row.target or state)


def rows_of(name: str, state: Leg) -> bool:
    return any(move.name == name and state in move.sources for move in LEG_MOVES)


def test_the_legs_moves_by_themselves_are_those_that_are_tried() -> None:
    by_itself = {move.name for move in LEG_MOVES if set(move.by) <= {By.RULE, By.CLOCK}}

    assert by_itself == {"offer", "recall", "answer", "expire"}, "expire is tried in test_moves, offer with each leg"


@pytest.mark.parametrize("state", Leg)
def test_a_leg_of_what_was_entered_in_error_is_recalled_while_it_is_open(state: Leg) -> None:
    life = leg_at(state)

    facts = life.hear("triage", TriageFact(entered_in_error=triage_pb2.EnteredInError(note=NOTE)), SUPERVISOR)

    assert (LEG in {fact.recalled.leg_id for fact in facts}) == rows_of("recall", state)
    assert life.state.legs[LEG].stands is (Leg.RECALLED if rows_of("recall", state) else state)


@pytest.mark.parametrize("state", Leg)
def test_an_answer_reaches_the_partner_that_asked_while_its_leg_is_open(state: Leg) -> None:
    life = life_of(request())
    ask(life)
    put(life)
    for act in TO_LEG[state]:
        LEG_ACTS[act](life)

    facts = answer(life)

    assert ("information_passed" in kinds_of(facts)) == rows_of("answer", state)
    assert life.state.legs[LEG].stands is state
