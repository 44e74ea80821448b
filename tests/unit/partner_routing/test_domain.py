"""What partner-routing decides: offers, replies, silence, and when all is told and closed."""

from __future__ import annotations

import random
from datetime import UTC, timedelta
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
    SUBJECT_ROLE_CHILD,
    SUBJECT_ROLE_VICTIM,
)
from safeguarding.v1.intake_pb2 import IntakeFact, ReferralState
from safeguarding.v1.partner_pb2 import (
    AUDIENCE_RAISER,
    AUDIENCE_VICTIM,
    DECLINE_REASON_NO_CAPACITY,
    DECLINE_REASON_NOT_ELIGIBLE,
    NOT_TOLD_REASON_UNSAFE,
)
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Refused, Why
from services.chassis.engine.document import fold
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.domain.telling import outcome_words
from tests.unit.domains import DESK, NOON, OFFICER, REFERRAL, VOLUNTEER, Life, kinds_of, raised, sealed
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    HOUR,
    KNOWN_ALREADY,
    LEG,
    ON_HOLD,
    OTHER_LEG,
    PROGRESS,
    RECEIVED,
    SUPPORTED,
    Area,
    Partner,
    life_of,
    read_outcome,
    reply,
    request,
    routed,
    told,
)


def test_each_leg_is_offered_to_its_partner_with_what_its_agreement_gives() -> None:
    """And what it withholds, each with its rule."""
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))

    first, second = (leg.offered for leg in life.state.legs.values())
    assert (first.partner_id, second.partner_id) == ("council-a", "homes")
    assert [(g.group, g.subject, g.rule) for g in first.given] == [
        (FIELD_GROUP_IDENTITY, 1, "who"),
        (FIELD_GROUP_NARRATIVE, 0, "what"),
    ]
    assert [(w.group, w.subject, w.rule) for w in first.withheld] == [(FIELD_GROUP_CONTACT, 1, "default")]
    assert first.agreement == "council-a@1"
    assert first.respond_by.at.ToDatetime(UTC) == NOON + HOUR
    assert (first.lead, second.lead) == (True, False)


def test_it_does_not_matter_whether_the_concern_or_the_routing_comes_first() -> None:
    """They lie on two topics."""
    life = Life(RoutingDecider(), Area())
    assert life.hear("triage", routed(request()), DESK) == []

    facts = life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))

    assert kinds_of(facts) == ["offered"]


def test_nothing_is_offered_before_routing_knows_what_triage_knew() -> None:
    """The raiser's answer and triage's routing lie on two topics; a partner gets both or waits."""
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    asked = TriageFact(routed=triage_pb2.Routed(legs=[request()], intake_sequence=2))
    assert life.hear("triage", asked, DESK) == []

    information = sealed(FIELD_GROUP_NARRATIVE, version=2)
    supplied = IntakeFact(information_supplied=intake_pb2.InformationSupplied(information=information))
    facts = life.hear("intake", supplied)

    assert kinds_of(facts) == ["offered"]


def test_where_nobody_serves_the_lead_agency_is_asked() -> None:
    """So that the leg is somebody's."""
    life = Life(RoutingDecider(), Area([Partner("lead", 0, lead=True)]))
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))

    [fact] = life.hear("triage", routed(request()), DESK)

    assert (fact.offered.partner_id, fact.offered.escalated) == ("lead", True)


def test_a_leg_goes_from_offer_to_outcome_and_closes_when_its_raiser_has_read() -> None:
    """The whole path of one leg."""
    life = life_of(request())
    steps = [kinds_of(reply(life, step)) for step in (RECEIVED, ACCEPTED, PROGRESS, ON_HOLD, PROGRESS, SUPPORTED)]

    assert steps == [
        ["received"],
        ["accepted"],
        ["in_progress"],
        ["on_hold"],
        ["in_progress"],
        ["completed", "outcome_known"],
    ]
    assert life.state.where == ReferralState.REFERRAL_STATE_ROUTED
    assert kinds_of(read_outcome(life)) == ["outcome_told", "closed"]
    assert life.state.where == ReferralState.REFERRAL_STATE_CLOSED
    assert read_outcome(life) == []


def test_a_foreign_leg_and_an_absent_one_answer_alike() -> None:
    """No partner learns of another's leg."""
    life = life_of(request())

    answers = []
    for leg in (LEG, OTHER_LEG):
        with pytest.raises(Refused) as refused:
            reply(life, ACCEPTED, partner="homes", leg=leg)
        answers.append((refused.value.why, refused.value.wrong))

    assert answers == [(Why.UNKNOWN, "foreign_leg")] * 2


def test_a_full_partner_leads_to_the_next_and_then_to_the_lead_agency() -> None:
    """Never twice to the same."""
    life = life_of(request())

    first = reply(life, FULL)
    second_leg = first[1].offered.leg_id
    second = reply(life, FULL, partner="council-b", leg=second_leg)
    third_leg = second[1].offered.leg_id

    assert kinds_of(first) == ["declined", "offered"]
    assert [fact.header.actor.id for fact in first] == ["council-a", "partner-routing"]
    assert first[1].offered.partner_id == "council-b"
    assert first[1].offered.replaces_leg_id == LEG
    assert first[1].offered.lead
    assert (second[1].offered.partner_id, second[1].offered.escalated) == ("lead", True)
    assert kinds_of(reply(life, FULL, partner="lead", leg=third_leg)) == ["declined", "came_back"]
    assert not life.state.outcome_known


@pytest.mark.parametrize("reason", [DECLINE_REASON_NOT_ELIGIBLE, DECLINE_REASON_NO_CAPACITY])
def test_a_no_that_is_about_the_partner_leads_to_the_next(reason: Any) -> None:
    """Unsafe contact and a person who is known already lead elsewhere."""
    declined, offered = reply(life_of(request()), {"declined": partner_pb2.DeclinedReply(reason=reason)})

    assert declined.declined.reason == reason
    assert offered.offered.partner_id == "council-b"


def test_a_partner_that_knows_the_person_already_joins_and_the_referral_may_close() -> None:
    """The leg is joined to work that goes on."""
    life = life_of(request())

    assert kinds_of(reply(life, KNOWN_ALREADY)) == ["declined", "outcome_known"]


def test_silence_expires_the_leg_and_escalates_to_the_lead_agency_once() -> None:
    """An expiry is decided once, however many processes watch."""
    life = life_of(request())

    assert kinds_of(life.run_out("soon", NOON + HOUR - timedelta(seconds=1))) == ["clock_reached"] * 2
    facts = life.run_out("soon", NOON + HOUR)
    again = life.run_out("soon", NOON + HOUR)

    assert kinds_of(facts) == ["clock_reached", "expired", "offered"]
    assert (facts[2].offered.partner_id, facts[2].offered.escalated) == ("lead", True)
    assert again == []


def test_a_leg_that_was_answered_has_no_clock() -> None:
    """Only the unanswered expire; from now on the work's own clock runs."""
    life = life_of(request())
    reply(life, ACCEPTED)

    assert [clock["name"] for clock in life.decider.view(life.state)["clocks"]] == ["review"]
    assert life.run_out("soon", NOON + 2 * HOUR) == []


def test_a_recalled_leg_is_over_and_its_partner_acknowledges() -> None:
    """Only the desk recalls."""
    life = life_of(request())

    assert kinds_of(life.say(routing_pb2.RecallRequest(leg_id=LEG, reason="mistake"), DESK)) == [
        "recalled",
        "came_back",
    ]
    step = {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()}
    assert kinds_of(reply(life, step)) == ["recall_acknowledged"]
    with pytest.raises(Refused) as refused:
        life.say(routing_pb2.RecallRequest(leg_id=LEG, reason="again"), DESK)
    assert refused.value.why is Why.ILLEGAL


def test_a_partner_that_leaves_frees_its_legs_for_another() -> None:
    """Its open legs expire and reroute."""
    life = life_of(request())
    life.rules.partners = [p for p in life.rules.partners if p.id != "council-a"]

    facts = life.say(routing_pb2.ReleasePartnerRequest(partner_id="council-a"), DESK)

    assert kinds_of(facts) == ["expired", "offered"]
    assert facts[0].expired.clock == "partner_removed"


def test_where_there_is_a_victim_the_referral_closes_only_when_they_were_told_too() -> None:
    """By the lead, or with a reason why not."""
    life = life_of(request(), roles=[SUBJECT_ROLE_VICTIM])
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)

    assert kinds_of(read_outcome(life)) == ["outcome_told"]
    assert kinds_of(reply(life, told(AUDIENCE_VICTIM, NOT_TOLD_REASON_UNSAFE))) == ["outcome_told", "closed"]


def test_an_anonymous_raiser_cannot_be_told_and_the_reason_is_recorded() -> None:
    """Not their silence, ours."""
    life = life_of(request(), anonymous=True)
    reply(life, ACCEPTED)

    facts = reply(life, SUPPORTED)

    assert kinds_of(facts) == ["completed", "outcome_known", "outcome_told", "closed"]
    assert facts[2].outcome_told.not_told == partner_pb2.NOT_TOLD_REASON_ANONYMOUS


def test_no_further_action_is_told_and_closed_too() -> None:
    """Routing closes every referral, also one without legs."""
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))
    facts = life.hear("triage", TriageFact(no_further_action=triage_pb2.NoFurtherActionTaken(reason=1)), DESK)  # type: ignore[arg-type]

    assert kinds_of(facts) == ["outcome_known"]
    assert kinds_of(read_outcome(life)) == ["outcome_told", "closed"]


def test_an_outcome_that_nobody_told_in_time_is_recorded_once_as_overdue() -> None:
    """Untold escalates."""
    life = life_of(request())
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)

    facts = life.run_out("tell", NOON + HOUR)

    assert kinds_of(facts) == ["clock_reached"] * 3 + ["telling_overdue"]
    assert facts[3].telling_overdue.audience == AUDIENCE_RAISER
    assert life.decider.view(life.state)["clocks"] == []


def test_only_the_raiser_reads_the_outcome() -> None:
    """Foreign and absent answer alike."""
    for life in (life_of(request()), Life(RoutingDecider(), Area())):
        with pytest.raises(Refused) as refused:
            read_outcome(life, VOLUNTEER)
        assert refused.value.why is Why.UNKNOWN


def test_a_volunteer_learns_that_it_was_acted_on_and_an_officer_how() -> None:
    """Plain words, fit for the role."""
    life = life_of(request())
    assert outcome_words(life.state, OFFICER.role) == ""
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)

    assert "supported" in outcome_words(life.state, OFFICER.role)
    assert "acted on" in outcome_words(life.state, VOLUNTEER.role)
    assert "supported" not in outcome_words(life.state, VOLUNTEER.role)


def test_the_desk_tells_only_whom_there_is_to_tell_and_only_once() -> None:
    """And not before there is an outcome."""
    life = life_of(request())
    raiser = routing_pb2.RecordToldRequest(told=partner_pb2.ToldReply(audience=AUDIENCE_RAISER))
    with pytest.raises(Refused):
        life.say(raiser, DESK)
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)
    victim = routing_pb2.RecordToldRequest(told=partner_pb2.ToldReply(audience=AUDIENCE_VICTIM))
    with pytest.raises(Refused):
        life.say(victim, DESK)

    assert kinds_of(life.say(raiser, DESK)) == ["outcome_told", "closed"]
    with pytest.raises(Refused):
        life.say(raiser, DESK)


def test_the_state_is_the_same_in_whatever_order_the_writers_facts_are_folded() -> None:
    """Facts of different writers touch different parts of the state."""
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    for step in (RECEIVED, ACCEPTED, SUPPORTED):
        reply(life, step)
    decider = RoutingDecider()
    facts = {writer: list(raws) for writer, raws in life.document.facts.items()}
    stored = {"_id": REFERRAL, "revision": "r", "published": 0, "facts": facts}
    once = fold(decider, stored).state
    chance = random.Random(7)
    for _ in range(50):
        lanes = {writer: list(raws) for writer, raws in facts.items()}
        state = decider.initial()
        while any(lanes.values()):
            writer = chance.choice([name for name, raws in lanes.items() if raws])
            kind = decider.fact_type if writer == decider.writer else decider.upstream_types[writer]
            state = decider.evolve(state, writer, kind.FromString(lanes[writer].pop(0)))
        assert state == once
