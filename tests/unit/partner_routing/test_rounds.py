"""Opened again, everybody is told anew; entered in error, everybody stops; what nobody takes up comes back."""

from __future__ import annotations

import pytest

from safeguarding.v1 import partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_LEAD_SILENT,
    CAME_BACK_REASON_NOBODY_LEFT,
    CAME_BACK_REASON_RECALLED,
    CAME_BACK_REASON_UNSAFE_TO_CONTACT,
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
)
from safeguarding.v1.intake_pb2 import ReferralState
from safeguarding.v1.partner_pb2 import DECLINE_REASON_UNSAFE_TO_CONTACT
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Refused, Why
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.domain.telling import outcome_words
from tests.unit.domains import DESK, NOON, OFFICER, SUPERVISOR, Life, kinds_of, raised, sealed
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    HOUR,
    KNOWN_ALREADY,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    life_of,
    read_outcome,
    reply,
    request,
    routed,
)

NOTE = sealed(FIELD_GROUP_NARRATIVE)
REOPENED = TriageFact(reopened=triage_pb2.Reopened(note=NOTE))
IN_ERROR = TriageFact(entered_in_error=triage_pb2.EnteredInError(note=NOTE))
UNSAFE = {"declined": partner_pb2.DeclinedReply(reason=DECLINE_REASON_UNSAFE_TO_CONTACT)}


def copy_of(fact: TriageFact) -> TriageFact:
    copied = TriageFact()
    copied.CopyFrom(fact)
    return copied


def no_further_action(*came_back: str) -> TriageFact:
    taken = triage_pb2.NoFurtherActionTaken(reason=1, came_back_leg_ids=came_back)  # type: ignore[arg-type]
    return TriageFact(no_further_action=taken)


def closed_life() -> Life:
    life = life_of(request())
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)
    assert kinds_of(read_outcome(life)) == ["outcome_told", "closed"]
    return life


def test_after_reopening_a_new_leg_is_followed_and_told_as_a_round_of_its_own() -> None:
    life = closed_life()

    assert kinds_of(life.hear("triage", copy_of(REOPENED), SUPERVISOR)) == ["round_began"]
    assert life.state.where == ReferralState.REFERRAL_STATE_RAISED  # of triage's facts this life heard no grade
    assert read_outcome(life) == []
    assert outcome_words(life.state, OFFICER.role) == ""

    facts = life.hear("triage", routed(request(OTHER_LEG)), DESK)
    assert kinds_of(facts) == ["offered"]
    assert facts[0].offered.lead
    reply(life, ACCEPTED, leg=OTHER_LEG)
    assert kinds_of(reply(life, KNOWN_ALREADY, leg=OTHER_LEG)) == ["reply_refused"]
    assert kinds_of(reply(life, SUPPORTED, leg=OTHER_LEG)) == ["completed", "outcome_known"]
    [told, closed] = read_outcome(life)
    assert (kinds_of([told, closed]), closed.closed.legs) == (["outcome_told", "closed"], 1)


def test_a_leg_asked_for_after_the_outcome_was_known_begins_a_round_of_its_own() -> None:
    life = closed_life()

    facts = life.hear("triage", routed(request(OTHER_LEG, SERVICE_KIND_HOUSING)), DESK)

    assert kinds_of(facts) == ["round_began", "offered"]
    assert life.state.where == ReferralState.REFERRAL_STATE_ROUTED


def test_no_further_action_after_reopening_is_told_too() -> None:
    life = closed_life()
    life.hear("triage", copy_of(REOPENED), SUPERVISOR)

    assert kinds_of(life.hear("triage", no_further_action(), DESK)) == ["outcome_known"]
    assert kinds_of(read_outcome(life)) == ["outcome_told", "closed"]


def test_entered_in_error_recalls_every_open_leg_and_hides_the_outcome() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(life, ACCEPTED)

    facts = life.hear("triage", copy_of(IN_ERROR), SUPERVISOR)

    assert kinds_of(facts) == ["recalled", "recalled"]
    assert {fact.recalled.reason for fact in facts} == {"entered_in_error"}
    assert life.state.where == ReferralState.REFERRAL_STATE_ENTERED_IN_ERROR
    view = life.decider.view(life.state)
    assert {clock["name"] for clock in view["clocks"]} == {"recall"}
    assert view["partners"] == ["council-a", "homes"], "both have still to say that they stopped"
    with pytest.raises(Refused) as refused:
        read_outcome(life)
    assert refused.value.why is Why.UNKNOWN
    acknowledged = {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()}
    assert kinds_of(reply(life, acknowledged)) == ["recall_acknowledged"]


def test_unsafe_to_contact_goes_to_nobody_else_and_comes_back_to_the_desk() -> None:
    life = life_of(request())

    facts = reply(life, UNSAFE)

    assert kinds_of(facts) == ["declined", "came_back"]
    assert (facts[1].came_back.leg_id, facts[1].came_back.reason) == (LEG, CAME_BACK_REASON_UNSAFE_TO_CONTACT)
    assert not life.state.outcome_known


def test_what_came_back_keeps_the_referral_open_until_the_desk_has_decided() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(life, ACCEPTED, partner="homes", leg=OTHER_LEG)
    reply(life, UNSAFE)
    assert kinds_of(reply(life, SUPPORTED, partner="homes", leg=OTHER_LEG)) == ["completed"]

    assert kinds_of(life.hear("triage", no_further_action(LEG), DESK)) == ["outcome_known"]


def test_the_desk_may_ask_another_instead_of_who_sent_it_back() -> None:
    life = life_of(request())
    reply(life, UNSAFE)
    again = routed(request(OTHER_LEG, SERVICE_KIND_HOUSING))
    again.routed.came_back_leg_ids.append(LEG)

    assert kinds_of(life.hear("triage", again, DESK)) == ["offered"]
    reply(life, ACCEPTED, partner="homes", leg=OTHER_LEG)
    assert kinds_of(reply(life, SUPPORTED, partner="homes", leg=OTHER_LEG)) == ["completed", "outcome_known"]


def test_silence_escalates_to_the_lead_agency_and_its_silence_comes_back() -> None:
    life = life_of(request())
    escalated = life.run_out("soon", NOON + HOUR)
    assert kinds_of(escalated)[-2:] == ["expired", "offered"]

    facts = life.run_out("soon", NOON + 2 * HOUR)

    assert kinds_of(facts)[-2:] == ["expired", "came_back"]
    assert facts[-1].came_back.reason == CAME_BACK_REASON_LEAD_SILENT
    assert facts[-1].came_back.leg_id == escalated[-1].offered.leg_id


def test_where_everybody_said_no_it_comes_back() -> None:
    life = life_of(request())
    second = reply(life, FULL)[1].offered.leg_id
    third = reply(life, FULL, partner="council-b", leg=second)[1].offered.leg_id

    facts = reply(life, FULL, partner="lead", leg=third)

    assert kinds_of(facts) == ["declined", "came_back"]
    assert facts[1].came_back.reason == CAME_BACK_REASON_NOBODY_LEFT


def test_where_there_is_nobody_at_all_the_request_itself_comes_back_once() -> None:
    life = Life(RoutingDecider(), Area([]))
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))

    [fact] = life.hear("triage", routed(request()), DESK)

    assert (fact.came_back.leg_id, fact.came_back.reason) == (LEG, CAME_BACK_REASON_NOBODY_LEFT)
    assert kinds_of(life.hear("triage", no_further_action(LEG), DESK)) == ["outcome_known"]


def test_a_referral_of_which_everything_was_recalled_is_the_desks_again() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    recall = routing_pb2.RecallRequest(leg_id=LEG, reason="mistake")
    assert kinds_of(life.say(recall, DESK)) == ["recalled"]

    facts = life.say(routing_pb2.RecallRequest(leg_id=OTHER_LEG, reason="mistake"), DESK)

    assert kinds_of(facts) == ["recalled", "came_back"]
    assert facts[1].came_back.reason == CAME_BACK_REASON_RECALLED


def recall(life: Life, leg: str) -> list[str]:
    return kinds_of(life.say(routing_pb2.RecallRequest(leg_id=leg, reason="opened_again"), DESK))


def test_the_desk_takes_back_what_was_open_when_a_new_round_began() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    life.hear("triage", copy_of(REOPENED), SUPERVISOR)
    assert life.state.legs[LEG].is_open
    assert not life.state.current

    assert recall(life, LEG) == ["recalled"], "the desk has the referral already"
    assert recall(life, OTHER_LEG) == ["recalled"]
    assert not life.state.with_desk


def test_beside_a_leg_of_this_round_one_of_an_earlier_round_is_taken_back_alone() -> None:
    life = life_of(request())
    life.hear("triage", copy_of(REOPENED), SUPERVISOR)
    life.hear("triage", routed(request(OTHER_LEG, SERVICE_KIND_HOUSING)), DESK)

    assert recall(life, LEG) == ["recalled"]
    assert recall(life, OTHER_LEG) == ["recalled", "came_back"]
    assert life.state.with_desk == {OTHER_LEG}


def test_what_the_desk_takes_back_comes_back_to_it_only_where_nothing_else_is_left() -> None:
    with_desk = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(with_desk, UNSAFE, "homes", OTHER_LEG)
    assert recall(with_desk, LEG) == ["recalled"], "the other lies with the desk already"

    taken_up = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(taken_up, ACCEPTED, "homes", OTHER_LEG)
    reply(taken_up, SUPPORTED, "homes", OTHER_LEG)
    assert recall(taken_up, LEG) == ["recalled", "outcome_known"]
    assert not taken_up.state.with_desk
