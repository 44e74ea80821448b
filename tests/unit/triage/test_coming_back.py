"""What comes back from routing lies on the worklist; a supervisor reopens, or hides what should never have been."""

from __future__ import annotations

from typing import Any

import pytest

from safeguarding.v1 import routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_NOBODY_LEFT,
    CAME_BACK_REASON_UNSAFE_TO_CONTACT,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
    SERVICE_KIND_POLICE_RESPONSE,
    SERVICE_KIND_VICTIM_SUPPORT,
    CameBackReason,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.checking import violations
from services.chassis.deciding import Refused, Why
from services.lifecycle import Referral
from tests.unit.domains import DESK, REFERRAL, SUPERVISOR, Life, kinds_of, sealed
from tests.unit.triage.test_domain import NFA, desk_leg, life_of, supplied

NOTE = sealed(FIELD_GROUP_NARRATIVE)
REOPEN = triage_pb2.ReopenRequest(note="she called again")
IN_ERROR = triage_pb2.EnterInErrorRequest(note="another person of that name")


def came_back(leg_id: str, reason: int = CAME_BACK_REASON_UNSAFE_TO_CONTACT, service: int = 9) -> RoutingFact:
    back = routing_pb2.CameBack(leg_id=leg_id, service=service, reason=reason)  # type: ignore[arg-type]
    return RoutingFact(came_back=back)


def routed_life() -> tuple[Life, str]:
    """A referral on which the desk asked for housing, and that leg's id."""
    life, _ = life_of()
    [fact] = life.say(desk_leg(), DESK)
    return life, fact.routed.legs[0].leg_id


def where(life: Life) -> Referral:
    found: Referral = life.state.where
    return found


def closed() -> RoutingFact:
    return RoutingFact(closed=routing_pb2.Closed(legs=1))


def test_a_leg_that_came_back_is_on_the_worklist_with_its_reason_and_a_new_clock() -> None:
    life, leg = routed_life()
    assert not life.decider.view(life.state)["waiting"]

    [fact] = life.hear("partner-routing", came_back(leg))

    assert (fact.taken_back.reason, fact.taken_back.service) == (
        CAME_BACK_REASON_UNSAFE_TO_CONTACT,
        SERVICE_KIND_HOUSING,
    )
    assert fact.taken_back.decide_by.clock == "decide_green"
    assert life.decider.view(life.state)["waiting"]
    assert list(life.state.came_back) == [leg]
    assert where(life) is Referral.ROUTED


def test_other_news_of_routing_leads_to_nothing() -> None:
    life, leg = routed_life()

    assert life.hear("partner-routing", RoutingFact(received=routing_pb2.Received(leg_id=leg))) == []


def test_what_came_back_may_be_asked_of_the_same_kind_again_or_given_up() -> None:
    again, leg = routed_life()
    again.hear("partner-routing", came_back(leg))
    [fact] = again.say(desk_leg(), DESK)
    assert list(fact.routed.came_back_leg_ids) == [leg]
    assert fact.routed.legs[0].leg_id != leg
    assert not again.state.waits_for_desk

    given_up, leg = routed_life()
    given_up.hear("partner-routing", came_back(leg))
    [fact] = given_up.say(NFA, DESK)
    assert list(fact.no_further_action.came_back_leg_ids) == [leg]
    assert where(given_up) is Referral.NO_FURTHER_ACTION


def test_giving_one_leg_up_lets_the_others_go_on() -> None:
    life, leg = routed_life()
    life.say(desk_leg(SERVICE_KIND_VICTIM_SUPPORT), DESK)
    life.hear("partner-routing", came_back(leg, CAME_BACK_REASON_NOBODY_LEFT))

    life.say(NFA, DESK)

    assert where(life) is Referral.ROUTED
    assert not life.state.waits_for_desk


def test_no_rule_asks_again_for_what_came_back() -> None:
    life, facts = life_of(Signs(immediate_danger=True))
    leg = next(leg for leg in facts[1].routed.legs if leg.service == SERVICE_KIND_POLICE_RESPONSE)
    life.hear("partner-routing", came_back(leg.leg_id, service=leg.service))

    assert life.hear("intake", supplied(Signs(immediate_danger=True))) == []


def test_a_supervisor_reopens_what_was_closed_and_the_desk_may_ask_anew() -> None:
    life, _ = routed_life()
    life.hear("partner-routing", closed())
    assert where(life) is Referral.CLOSED
    with pytest.raises(Refused) as refused:
        life.say(REOPEN, DESK, NOTE)
    assert refused.value.why is Why.ILLEGAL
    assert refused.value.legal == ("RecordThrive",)

    [fact] = life.say(REOPEN, SUPERVISOR, NOTE)

    assert fact.reopened.decide_by.clock == "decide_green"
    assert where(life) is Referral.IN_TRIAGE
    assert life.decider.view(life.state)["waiting"]
    assert kinds_of(life.say(desk_leg(), DESK)) == ["routed"]
    life.hear("partner-routing", RoutingFact(round_began=routing_pb2.RoundBegan(round=1)))
    assert where(life) is Referral.ROUTED
    life.hear("partner-routing", closed())
    assert where(life) is Referral.CLOSED


def test_what_was_entered_in_error_is_hidden_and_takes_no_more() -> None:
    life, leg = routed_life()
    life.say(IN_ERROR, SUPERVISOR, NOTE)

    assert life.hear("partner-routing", came_back(leg)) == []
    assert not life.decider.view(life.state)["waiting"]
    for body in (IN_ERROR, REOPEN, NFA, desk_leg()):
        with pytest.raises(Refused) as refused:
            life.say(body, SUPERVISOR, NOTE)
        assert (refused.value.why, refused.value.legal) == (Why.ILLEGAL, ())


def test_a_partners_question_is_put_to_the_raiser_with_a_clock_and_does_not_stop_the_desks() -> None:
    life, leg = routed_life()
    life.hear("partner-routing", came_back(leg))
    decides = [clock.deadline for clock in life.state.clocks]
    asked = RoutingFact(information_asked=routing_pb2.InformationAsked(leg_id=leg, question=NOTE))

    [fact] = life.hear("partner-routing", asked)

    requested = fact.information_requested
    assert (requested.leg_id, requested.question, requested.supplied_before) == (leg, NOTE, 0)
    assert requested.answer_by.clock == "answer"
    assert [clock.deadline for clock in life.state.clocks] == [*decides, requested.answer_by]
    assert where(life) is Referral.ROUTED


def test_nobody_is_asked_about_a_referral_that_was_entered_in_error() -> None:
    life, leg = routed_life()
    life.say(IN_ERROR, SUPERVISOR, NOTE)
    asked = RoutingFact(information_asked=routing_pb2.InformationAsked(leg_id=leg, question=NOTE))

    assert life.hear("partner-routing", asked) == []


WRONG = [
    {"leg_id": "no id", "reason": CAME_BACK_REASON_NOBODY_LEFT},
    {"leg_id": "", "reason": CAME_BACK_REASON_NOBODY_LEFT},
    {"leg_id": REFERRAL, "reason": 0},
    {"leg_id": REFERRAL, "reason": 99},
]


@pytest.mark.parametrize("wrong", WRONG, ids=["no id", "empty id", "no reason", "a reason of a later version"])
def test_what_triage_could_not_say_after_it_is_wrong_where_it_comes_from(wrong: dict[str, Any]) -> None:
    """Else triage would fail over it, for as long as it is replayed."""
    back, taken = routing_pb2.CameBack(**wrong), triage_pb2.TakenBack(**wrong)

    assert violations(taken)
    assert violations(back) == violations(taken)


def test_what_comes_back_rightly_is_right_on_both_sides() -> None:
    for reason in CameBackReason.values()[1:]:
        right: dict[str, Any] = {"leg_id": REFERRAL, "reason": reason}
        assert not violations(routing_pb2.CameBack(**right))
        assert not violations(triage_pb2.TakenBack(**right))
