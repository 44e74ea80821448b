"""Every move of the table is made from every state that it starts in, and refused from every other."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_PARTNER, ROLE_SUPERVISOR, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ADULT_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    GRADE_AMBER,
    LAWFUL_BASIS_PUBLIC_TASK,
    SERVICE_KIND_HOUSING,
    Actor,
)
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import Refused, Why
from services.lifecycle import LEG_MOVES, LEG_STATE, REFERRAL_MOVES, By, Leg, Move, Referral, legal
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.unit.domains import DESK, NOON, REFERRAL, SUPERVISOR, Life, kinds_of, raised, sealed
from tests.unit.partner_routing import life as routing

PARTNER = Actor(role=ROLE_PARTNER, id="council-a")
AREA = Area(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
SAID = routing_pb2.InboxCommand(referral_id=REFERRAL, leg_id=routing.LEG)
LINK = triage_pb2.Linked(other_referral_id="00000000-0000-4000-8000-000000000001", by="number", score=90)
Act = Callable[[Life], Any]


def say(body: Any, actor: Actor, words: Any = None) -> Act:
    return lambda life: life.say(body, actor, words)


def desk_leg() -> triage_pb2.RouteRequest:
    leg = triage_pb2.DeskLeg(
        service=SERVICE_KIND_HOUSING, purpose="home", basis=LAWFUL_BASIS_PUBLIC_TASK, necessity="x"
    )
    return triage_pb2.RouteRequest(legs=[leg])


LEG_ACTS: dict[str, Act] = {
    "received": say(routing_pb2.AcknowledgeRequest(command=SAID), PARTNER),
    "accepted": say(routing_pb2.AcceptRequest(command=SAID), PARTNER),
    "declined": say(routing_pb2.DeclineRequest(command=SAID, reason=partner_pb2.DECLINE_REASON_ALREADY_KNOWN), PARTNER),
    "progress": say(routing_pb2.ProgressRequest(command=SAID), PARTNER),
    "hold": say(routing_pb2.ProgressRequest(command=SAID, on_hold=True), PARTNER),
    "outcome": say(routing_pb2.CompleteRequest(command=SAID, outcome=partner_pb2.OUTCOME_SUPPORTED), PARTNER),
    "failed": say(routing_pb2.FailRequest(command=SAID, reason=partner_pb2.FAILURE_REASON_UNREACHABLE), PARTNER),
    "told": say(
        routing_pb2.TellRequest(command=SAID, told=partner_pb2.ToldReply(audience=partner_pb2.AUDIENCE_RAISER)), PARTNER
    ),
    "asked": say(routing_pb2.AskRaiserRequest(command=SAID), PARTNER, sealed(FIELD_GROUP_NARRATIVE)),
    "recall_acknowledged": say(routing_pb2.AcknowledgeRecallRequest(command=SAID), PARTNER),
    "Recall": say(routing_pb2.RecallRequest(leg_id=routing.LEG, reason="mistake"), DESK),
    "ReleasePartner": say(routing_pb2.ReleasePartnerRequest(partner_id="council-a"), Actor(role=ROLE_OPERATOR, id="o")),
    "expire": lambda life: life.run_out("soon", NOON + routing.HOUR),
}
TO_LEG: dict[Leg, list[str]] = {
    Leg.OFFERED: [],
    Leg.RECEIVED: ["received"],
    Leg.ACCEPTED: ["accepted"],
    Leg.IN_PROGRESS: ["accepted", "progress"],
    Leg.ON_HOLD: ["accepted", "hold"],
    Leg.COMPLETED: ["accepted", "outcome"],
    Leg.FAILED: ["accepted", "failed"],
    Leg.DECLINED: ["declined"],
    Leg.EXPIRED: ["expire"],
    Leg.RECALLED: ["Recall"],
}


def leg_at(state: Leg) -> Life:
    """A referral whose one leg stands there."""
    life = routing.life_of(routing.request())
    for act in TO_LEG[state]:
        LEG_ACTS[act](life)
    assert life.state.legs[routing.LEG].stands is state
    return life


REFERRAL_ACTS: dict[str, Act] = {
    "OverrideGrade": say(triage_pb2.OverrideGradeRequest(grade=GRADE_AMBER), DESK),
    "RequestInformation": say(
        triage_pb2.RequestInformationRequest(question="where?"), DESK, sealed(FIELD_GROUP_NARRATIVE)
    ),
    "TakeNoFurtherAction": say(triage_pb2.TakeNoFurtherActionRequest(reason=1), DESK),  # type: ignore[arg-type]
    "Route": say(desk_leg(), DESK),
    "ConfirmLink": say(triage_pb2.ConfirmLinkRequest(other_referral_id=LINK.other_referral_id), DESK),
    "RejectLink": say(triage_pb2.RejectLinkRequest(other_referral_id=LINK.other_referral_id), DESK),
    "RecordThrive": say(triage_pb2.RecordThriveRequest(), DESK, sealed(FIELD_GROUP_NARRATIVE)),
    "Reopen": say(triage_pb2.ReopenRequest(note="again"), SUPERVISOR, sealed(FIELD_GROUP_NARRATIVE)),
    "EnterInError": say(triage_pb2.EnterInErrorRequest(note="not her"), SUPERVISOR, sealed(FIELD_GROUP_NARRATIVE)),
}
CLOSE = "close"
"""Routing's part: triage hears that it is closed."""
TO_REFERRAL: dict[Referral, list[str]] = {
    Referral.IN_TRIAGE: [],
    Referral.INFO_REQUESTED: ["RequestInformation"],
    Referral.NO_FURTHER_ACTION: ["TakeNoFurtherAction"],
    Referral.ROUTED: ["Route"],
    Referral.CLOSED: ["Route", CLOSE],
    Referral.ENTERED_IN_ERROR: ["EnterInError"],
}
BARRED: dict[tuple[str, Referral], str] = {
    ("Route", Referral.ROUTED): "that kind was asked already; tests/unit/triage routes another",
    ("TakeNoFurtherAction", Referral.ROUTED): "nothing came back; tests/unit/triage takes back",
}
"""Moves that the table allows and this one referral does not, each with the reason."""


def referral_at(state: Referral) -> Life:
    """A referral that stands there, as triage sees it."""
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: [LINK]}})
    life.hear("intake", raised([CONCERN_KIND_ADULT_AT_RISK]))
    for act in TO_REFERRAL[state]:
        if act == CLOSE:
            life.hear("partner-routing", RoutingFact(closed=routing_pb2.Closed(legs=1)))
        else:
            REFERRAL_ACTS[act](life)
    assert life.state.where is state
    return life


def made_by(moves: Iterable[Move], *who: By) -> set[str]:
    return {move.name for move in moves if set(who) & set(move.by)}


def pairs(moves: Iterable[Move], states: Iterable[Any], acts: Iterable[str]) -> list[tuple[str, Any]]:
    return [(act, state) for act in acts for state in states]


def test_the_acts_of_these_tests_are_all_those_of_the_table() -> None:
    assert made_by(LEG_MOVES, By.PARTNER, By.DESK, By.OPERATOR, By.CLOCK, By.SUPERVISOR) == set(LEG_ACTS)
    of_triage = made_by(REFERRAL_MOVES, By.DESK, By.SUPERVISOR) - {"RecordTold"}
    assert of_triage == set(REFERRAL_ACTS)
    assert set(TO_LEG) == set(Leg)


@pytest.mark.parametrize(("act", "state"), pairs(LEG_MOVES, Leg, LEG_ACTS))
def test_a_leg_moves_as_the_table_says_or_is_refused_with_the_legal_moves(act: str, state: Leg) -> None:
    life = leg_at(state)
    rows = [move for move in LEG_MOVES if move.name == act and state in move.sources]
    if rows:
        [row] = rows
        facts = LEG_ACTS[act](life)
        assert row.fact in kinds_of(facts)
        assert life.state.legs[routing.LEG].stands is (row.target or state)
        return
    by = next(move.by for move in LEG_MOVES if move.name == act)
    if by in ((By.CLOCK,), (By.OPERATOR,)):  # not asked for by anybody who could be refused
        assert LEG_ACTS[act](life) == []
    else:
        with pytest.raises(Refused) as refused:
            LEG_ACTS[act](life)
        assert refused.value.why is Why.ILLEGAL
        if by == (By.PARTNER,):
            assert set(refused.value.legal) <= set(legal(LEG_MOVES, state, ROLE_PARTNER))
            assert act not in refused.value.legal
    assert life.state.legs[routing.LEG].stands is state


@pytest.mark.parametrize("state", Leg)
def test_an_illegal_reply_by_kafka_is_a_refused_reply_and_changes_nothing(state: Leg) -> None:
    steps: dict[str, dict[str, Any]] = {
        "received": routing.RECEIVED,
        "accepted": routing.ACCEPTED,
        "declined": routing.FULL,
        "progress": routing.PROGRESS,
        "hold": routing.ON_HOLD,
        "outcome": routing.SUPPORTED,
        "failed": routing.FAILED,
    }
    for name in sorted(set(steps) - set(legal(LEG_MOVES, state, ROLE_PARTNER))):
        life = leg_at(state)
        [fact] = routing.reply(life, steps[name], key=str(uuid.uuid4()))
        assert (fact.reply_refused.why, fact.reply_refused.partner_id) == ("illegal", "council-a")
        assert life.state.legs[routing.LEG].state == LEG_STATE[state]


@pytest.mark.parametrize(("act", "state"), pairs(REFERRAL_MOVES, TO_REFERRAL, REFERRAL_ACTS))
def test_a_referral_moves_as_the_table_says_or_is_refused_with_the_legal_moves(act: str, state: Referral) -> None:
    life = referral_at(state)
    rows = [move for move in REFERRAL_MOVES if move.name == act and state in move.sources]
    if rows and (act, state) not in BARRED:
        [row] = rows
        assert row.fact in kinds_of(REFERRAL_ACTS[act](life))
        assert life.state.where is (row.target or state)
        return
    with pytest.raises(Refused) as refused:
        REFERRAL_ACTS[act](life)
    assert refused.value.why is Why.ILLEGAL
    assert set(refused.value.legal) <= set(legal(REFERRAL_MOVES, state, ROLE_SUPERVISOR))
    assert life.state.where is state


def test_the_raisers_answer_leads_back_to_triage() -> None:
    life = referral_at(Referral.INFO_REQUESTED)
    information = sealed(FIELD_GROUP_NARRATIVE, version=2)

    life.hear("intake", IntakeFact(information_supplied=intake_pb2.InformationSupplied(information=information)))

    assert life.state.where is Referral.IN_TRIAGE


def test_only_a_supervisors_refusal_names_a_supervisors_moves() -> None:
    for state in Referral:
        only = set(legal(REFERRAL_MOVES, state, ROLE_SUPERVISOR)) - set(legal(REFERRAL_MOVES, state, ROLE_TRIAGE))
        assert only <= made_by(REFERRAL_MOVES, By.SUPERVISOR)
    assert SUPERVISOR.role == ROLE_SUPERVISOR
