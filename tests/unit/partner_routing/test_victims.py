"""A victim is followed from first contact to finalised, and what must be told in time has a clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from safeguarding.v1 import routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    FIELD_GROUP_NARRATIVE,
    NEED_HEALTH,
    SUBJECT_ROLE_BUSINESS,
    SUBJECT_ROLE_SUSPECT,
    SUBJECT_ROLE_VICTIM,
    Actor,
)
from services.chassis.deciding import Refused, Why
from services.partner_routing.views import journey
from tests.unit.domains import DESK, NOON, REFERRAL, Life, kinds_of, sealed
from tests.unit.partner_routing.life import ACCEPTED, HOUR, SUPPORTED, life_of, reply, request

LEAD = Actor(role=ROLE_PARTNER, id="council-a")
OTHER = Actor(role=ROLE_PARTNER, id="council-b")
ARREST = {"event_happened": routing_pb2.EventHappened(event=routing_pb2.CASE_EVENT_ARREST)}
CHARGE = {"event_happened": routing_pb2.EventHappened(event=routing_pb2.CASE_EVENT_CHARGE)}
UPDATED = {"updated": routing_pb2.VictimUpdated()}
ASKED = {"satisfaction_asked": routing_pb2.SatisfactionAsked(score=4)}
FIRST_STEPS: list[dict[str, Any]] = [
    {"contact_named": routing_pb2.ContactNamed(contact_id="officer-7")},
    {"preference_stated": routing_pb2.PreferenceStated(preference=routing_pb2.CONTACT_PREFERENCE_TEXT)},
    {"needs_assessed": routing_pb2.NeedsAssessed(enhanced=False, needs=[NEED_HEALTH])},
    {"rights_explained": routing_pb2.RightsExplained(rights=[1, 4, 6])},
]


def victim_life() -> Life:
    """A business, a victim and a suspect; one leg, which leads."""
    return life_of(request(), roles=(SUBJECT_ROLE_BUSINESS, SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_SUSPECT))


def record(life: Life, step: dict[str, Any], subject: int = 2, actor: Actor = DESK, words: Any = None) -> list[Any]:
    body = routing_pb2.RecordVictimStepRequest(
        referral_id=REFERRAL, step=routing_pb2.VictimStep(subject=subject, **step)
    )
    return life.say(body, actor, words)


def shown(life: Life, number: int = 2) -> routing_pb2.JourneyVictim:
    [found] = [victim for victim in journey(life.document).victims if victim.subject == number]
    return found


def watched(life: Life) -> dict[str, Any]:
    return {clock["name"]: clock["at"] for clock in life.decider.view(life.state)["clocks"]}


def test_the_journey_shows_each_victim_and_business_and_what_is_still_to_do() -> None:
    life = victim_life()

    assert [victim.subject for victim in journey(life.document).victims] == [1, 2]
    assert list(shown(life).to_do) == ["name_contact", "ask_preference", "assess_needs", "explain_rights"]
    for step in FIRST_STEPS:
        record(life, step)

    found = shown(life)
    assert (found.contact_id, found.preference) == ("officer-7", routing_pb2.CONTACT_PREFERENCE_TEXT)
    assert (list(found.needs), list(found.rights), list(found.to_do)) == ([NEED_HEALTH], [1, 4, 6], [])
    assert list(shown(life, 1).to_do) == ["name_contact", "ask_preference", "assess_needs", "explain_rights"]


def test_safe_times_stay_sealed() -> None:
    life = victim_life()
    words = sealed(FIELD_GROUP_NARRATIVE, version=9)

    [fact] = record(life, FIRST_STEPS[1], words=words)

    assert fact.victim_recorded.safe_times == words
    assert b"safe" not in journey(life.document).SerializeToString()


def test_what_happened_must_be_told_in_time_and_is_warned_of_and_breached() -> None:
    life = victim_life()
    [fact] = record(life, ARREST)
    assert fact.victim_recorded.update_by.clock == "victim_update"
    assert watched(life)["victim_update"] == NOON + HOUR / 2
    assert list(shown(life).to_do)[-1] == "update"

    facts = life.run_out("victim_update", NOON + HOUR)
    assert [each.clock_reached.percent for each in facts] == [50, 80, 100], "and nobody counts as untold of the outcome"
    assert kinds_of(facts) == ["clock_reached"] * 3
    assert "victim_update" not in watched(life)

    record(life, UPDATED)
    found = shown(life)
    assert (found.updates, found.HasField("update_by"), "update" in found.to_do) == (1, False, False)
    assert found.updated_at.seconds


def test_a_later_event_gives_no_more_time_for_an_earlier_one() -> None:
    life = victim_life()
    record(life, ARREST)
    life.now = NOON + timedelta(minutes=40)
    record(life, CHARGE)

    assert shown(life).update_by.at.seconds == int((NOON + HOUR).timestamp())


def test_enhanced_rights_have_a_shorter_clock() -> None:
    life = victim_life()
    record(life, {"needs_assessed": routing_pb2.NeedsAssessed(enhanced=True)})

    [fact] = record(life, ARREST)

    assert fact.victim_recorded.update_by.clock == "victim_update_enhanced"


def test_at_the_end_they_are_asked_how_it_was_and_not_before() -> None:
    life = victim_life()
    with pytest.raises(Refused) as refused:
        record(life, ASKED)
    assert refused.value.why is Why.ILLEGAL
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)
    assert "ask_satisfaction" in shown(life).to_do

    record(life, ASKED)

    assert shown(life).satisfaction == 4
    assert "ask_satisfaction" not in shown(life).to_do


def test_the_leading_partner_may_and_another_learns_of_no_referral() -> None:
    life = victim_life()
    record(life, FIRST_STEPS[0], actor=LEAD)
    assert shown(life).contact_id == "officer-7"

    with pytest.raises(Refused) as refused:
        record(life, FIRST_STEPS[0], actor=OTHER)
    assert refused.value.why is Why.UNKNOWN


@pytest.mark.parametrize(
    ("step", "subject", "why"),
    [(FIRST_STEPS[0], 3, Why.INVALID), (FIRST_STEPS[0], 9, Why.INVALID), (UPDATED, 2, Why.ILLEGAL)],
    ids=["a suspect", "nobody", "nothing to tell"],
)
def test_a_step_that_means_nothing_is_refused_and_changes_nothing(step: dict[str, Any], subject: int, why: Why) -> None:
    life = victim_life()
    before = life.state

    with pytest.raises(Refused) as refused:
        record(life, step, subject)

    assert refused.value.why is why
    assert refused.value.right
    assert life.state == before
