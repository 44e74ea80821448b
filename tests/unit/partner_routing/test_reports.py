"""Work with somebody likely to offend again ends with a report of it, and each leg says what the person needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_REOFFENDING,
    FIELD_GROUP_NARRATIVE,
    GRADE_AMBER,
    GRADE_RED,
    NEED_EMPLOYMENT,
    NEED_HOUSING,
    NEED_SUBSTANCES,
    SERVICE_KIND_HOUSING,
    SERVICE_KIND_PROBATION,
    SERVICE_KIND_SUBSTANCE_TREATMENT,
    Actor,
)
from safeguarding.v1.concern_pb2 import Signs
from services.chassis.deciding import Refused, Why
from services.partner_routing.copies import offer_of
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.unit.domains import REFERRAL, Life, raised, sealed
from tests.unit.partner_routing.life import ACCEPTED, LEG, SUPPORTED, life_of, reply, request

AREA = Area(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
PARTNER = Actor(role=ROLE_PARTNER, id="council-a")
REPORT = sealed(FIELD_GROUP_NARRATIVE, version=9)


def worked_on() -> Life:
    """A leg that may end only with a report, taken on."""
    asked = request()
    asked.end_report = True
    asked.needs.append(NEED_HOUSING)
    life = life_of(asked)
    reply(life, ACCEPTED)
    return life


def test_an_outcome_without_a_report_is_refused_and_says_what_is_missing() -> None:
    life = worked_on()
    command = routing_pb2.InboxCommand(referral_id=REFERRAL, leg_id=LEG)
    with pytest.raises(Refused) as refused:
        life.say(routing_pb2.CompleteRequest(command=command, outcome=partner_pb2.OUTCOME_SUPPORTED), PARTNER)
    assert refused.value.why is Why.ILLEGAL
    assert "report" in refused.value.wrong
    assert "outcome" in refused.value.legal

    [by_kafka] = reply(life, SUPPORTED)
    assert by_kafka.reply_refused.why == "illegal"
    assert life.state.legs[LEG].is_open


def test_with_a_report_it_ends_and_without_the_need_of_one_nothing_is_asked() -> None:
    life = worked_on()
    life.gathered = {"keys": {}, "notes": {"reply-0001": REPORT}}

    done = reply(life, SUPPORTED, key="reply-0001")
    assert done[0].completed.note == REPORT

    other = life_of(request())
    reply(other, ACCEPTED)
    assert reply(other, SUPPORTED)[0].HasField("completed")


def test_the_offer_says_that_a_report_is_wanted_and_what_the_person_needs() -> None:
    life = worked_on()

    offer = offer_of(life.state, life.state.legs[LEG].offered, {}, REFERRAL)

    assert offer.end_report
    assert list(offer.needs) == [NEED_HOUSING]


def asked_for(**signs: Any) -> tuple[int, dict[int, Any]]:
    """The grade, and the legs by kind of partner."""
    life = Life(TriageDecider(), AREA)
    facts = life.hear("intake", raised([CONCERN_KIND_REOFFENDING], Signs(**signs)))
    [routed] = [fact.routed for fact in facts if fact.HasField("routed")]
    return life.state.grade, {leg.service: leg for leg in routed.legs}


def test_needs_lead_to_their_pathways_and_each_ends_with_a_report() -> None:
    _, legs = asked_for(
        leaving_prison=True, no_settled_home=True, substance_use=True, no_work=True, consents_to_support=True
    )

    assert list(legs[SERVICE_KIND_HOUSING].needs) == [NEED_HOUSING]
    assert list(legs[SERVICE_KIND_SUBSTANCE_TREATMENT].needs) == [NEED_SUBSTANCES]
    assert list(legs[SERVICE_KIND_PROBATION].needs) == [NEED_EMPLOYMENT]
    assert all(leg.end_report for leg in legs.values())


@pytest.mark.parametrize(
    ("sign", "grade", "clock"),
    [
        ("iom_managed", GRADE_AMBER, ""),
        ("mappa_level_2", GRADE_AMBER, "work_mappa_level_2"),
        ("mappa_level_3", GRADE_RED, "work_mappa_level_3"),
    ],
)
def test_whoever_is_managed_together_is_probations_with_its_review(sign: str, grade: int, clock: str) -> None:
    found, legs = asked_for(**{sign: True})

    assert found == grade
    assert (legs[SERVICE_KIND_PROBATION].work_clock, legs[SERVICE_KIND_PROBATION].end_report) == (clock, True)
