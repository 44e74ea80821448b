"""Once a person takes back that they agreed, nobody is asked on it, and whoever else is asked is told the ground."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_CONSENT_ENDED,
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    LAWFUL_BASIS_CONSENT,
    SERVICE_KIND_HOUSING,
    Standing,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Amended, IntakeFact
from safeguarding.v1.triage_pb2 import Reopened, RequestedLeg, TriageFact
from services.known import Known
from services.lifecycle import Leg
from services.partner_routing.agreements import NO_CONSENT
from services.partner_routing.copies import offer_now
from services.partner_routing.domain import RoutingDecider
from tests.unit.domains import DESK, NOON, REFERRAL, SUPERVISOR, Life, kinds_of, raised
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    GROUND,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    Disclosed,
    reply,
    request,
    routed,
)


def agreed(leg_id: str = LEG, *, ground: Standing | None = None, **changed: Any) -> RequestedLeg:
    """A leg that was asked for while the person agreed."""
    asked = request(leg_id, **changed)
    asked.ClearField("without_consent")
    if ground is not None:
        asked.if_consent_ends.CopyFrom(ground)
    return asked


def on_consent(leg_id: str = LEG, **changed: Any) -> RequestedLeg:
    """One that rests on it."""
    asked = agreed(leg_id, **changed)
    asked.basis = LAWFUL_BASIS_CONSENT
    return asked


class NeedingConsent(Area):
    """Gives the account only where the person agreed."""

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """See Area."""
        account = FIELD_GROUP_NARRATIVE, 0, "what" if known.consents else NO_CONSENT
        return Disclosed((account,), ()) if known.consents else Disclosed((), (account,))


def life_of(*requests: RequestedLeg, area: Area | None = None) -> Life:
    """A referral of somebody who agreed."""
    life = Life(RoutingDecider(), area or Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], Signs(consents_to_support=True)))
    if requests:
        life.hear("triage", routed(*requests), DESK)
    return life


def take_back(life: Life) -> list[Any]:
    """The raiser says that the person does not agree any more."""
    return life.hear("intake", IntakeFact(amended=Amended(signs=Signs())))


def test_while_they_agree_an_offer_names_no_ground() -> None:
    [offered] = life_of(agreed(ground=GROUND)).state.legs.values()

    assert not offered.offered.HasField("without_consent")


def test_who_is_asked_next_is_told_the_ground_that_the_rule_named_for_this_case() -> None:
    life = life_of(agreed(ground=GROUND))
    assert take_back(life) == []  # what was given was given rightly, and goes on

    [_, second] = reply(life, FULL)

    assert (second.offered.partner_id, second.offered.without_consent) == ("council-b", GROUND)


def test_where_nobody_named_a_ground_nobody_is_asked_next_and_the_desk_is_told_why() -> None:
    life = life_of(agreed())
    take_back(life)

    [_, back] = reply(life, FULL)

    assert (back.came_back.leg_id, back.came_back.reason) == (LEG, CAME_BACK_REASON_CONSENT_ENDED)
    assert life.state.with_desk == {LEG}


@pytest.mark.parametrize("asked", [agreed(), on_consent()], ids=["no ground named", "on consent"])
def test_what_was_not_offered_yet_comes_back_without_being_offered(asked: RequestedLeg) -> None:
    life = life_of()
    take_back(life)

    [back] = life.hear("triage", routed(asked), DESK)

    assert back.came_back.reason == CAME_BACK_REASON_CONSENT_ENDED
    assert not life.state.legs


def test_a_first_offer_after_it_ended_names_the_ground_too() -> None:
    life = life_of()
    take_back(life)

    [first] = life.hear("triage", routed(agreed(ground=GROUND)), DESK)

    assert first.offered.without_consent == GROUND


def test_work_that_rests_on_consent_is_taken_back_and_other_work_goes_on() -> None:
    life = life_of(agreed(ground=GROUND), on_consent(OTHER_LEG, service=SERVICE_KIND_HOUSING))
    reply(life, ACCEPTED, partner="homes", leg=OTHER_LEG)

    facts = take_back(life)

    assert [(fact.recalled.leg_id, fact.recalled.reason) for fact in facts] == [(OTHER_LEG, "consent_ended")]
    assert facts[0].recalled.acknowledge_by.clock == "recall"
    assert life.state.legs[LEG].stands is Leg.OFFERED
    assert take_back(life) == []


def test_where_that_was_all_the_desk_decides_what_now() -> None:
    life = life_of(on_consent())

    assert kinds_of(take_back(life)) == ["recalled", "came_back"]
    assert life.state.with_desk == {LEG}


def test_of_several_that_end_with_it_one_brings_the_referral_back() -> None:
    life = life_of(on_consent(), on_consent(OTHER_LEG, service=SERVICE_KIND_HOUSING))

    assert kinds_of(take_back(life)) == ["recalled", "recalled", "came_back"]
    assert life.state.with_desk == {OTHER_LEG}


def test_what_ends_of_an_earlier_round_does_not_come_back() -> None:
    life = life_of(on_consent())
    life.hear("triage", TriageFact(reopened=Reopened()), SUPERVISOR)

    assert kinds_of(take_back(life)) == ["recalled"]
    assert not life.state.with_desk


def test_what_had_ended_before_stays_as_it_ended() -> None:
    life = life_of(on_consent())
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)

    assert take_back(life) == []


def test_a_partner_that_looks_again_reads_no_more_what_needed_consent_and_is_told_the_ground_of_the_rest() -> None:
    life = life_of(agreed(ground=GROUND), area=NeedingConsent())
    [leg] = life.state.legs.values()
    assert list(offer_now(life.state, leg, life.rules, NOON, {}, REFERRAL).given) == [FIELD_GROUP_NARRATIVE]

    take_back(life)

    [leg] = life.state.legs.values()
    offer = offer_now(life.state, leg, life.rules, NOON, {}, REFERRAL)
    assert (list(offer.given), offer.without_consent) == ([], GROUND)
