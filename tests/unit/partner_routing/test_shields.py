"""What is shielded from a party is never told it, whatever its agreement says, and a preview says so beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PROTECTION
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    FIELD_GROUP_SIGNS,
    LAWFUL_BASIS_CONSENT,
    LAWFUL_BASIS_SAFEGUARDING,
    SERVICE_KIND_SCHOOL,
    SHIELDED_PART_ADDRESS,
    SHIELDED_PART_PERSON,
    SHIELDED_PART_RAISER,
    SUBJECT_ROLE_CHILD,
    SUBJECT_ROLE_SUSPECT,
    Actor,
    Shield,
)
from safeguarding.v1.concern_pb2 import Signs
from services.chassis.deciding import Refused, Why
from services.chassis.directory import Partner
from services.partner_routing.area import Snapshot, load_stated, snapshot
from services.partner_routing.copies import offer_of
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.preview import have_it, previewed
from tests.unit.domains import DESK, REFERRAL, SUPERVISOR, Life, raised
from tests.unit.partner_routing.life import LEG, Area, life_of, request, routed

FOLDER = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
PROTECTION = Actor(role=ROLE_PROTECTION, id="dpo-1")
PERSON = Shield(part=SHIELDED_PART_PERSON, subject=1, partner_id="council-a")
SCHOOL = Partner("meadowbank-school", "Meadowbank", "school", ("school",), ("bristol",), b"", kafka=True, lead=False)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def life_with(*shields: Shield) -> Life:
    """A concern that was raised with shields, and routed."""
    life = Life(RoutingDecider(), Area())
    concern = raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD, SUBJECT_ROLE_SUSPECT])
    concern.raised.shields.extend(shields)
    life.hear("intake", concern)
    life.hear("triage", routed(request()), DESK)
    return life


def given(life: Life) -> set[tuple[int, int]]:
    return {(each.group, each.subject) for each in life.state.legs[LEG].offered.given}


def shield(life: Life, what: Shield, actor: Actor = DESK, *, lift: bool = False) -> list[Any]:
    body = routing_pb2.ShieldRequest(referral_id=REFERRAL, shield=what, reason="staff_known", lift=lift)
    return life.say(body, actor)


def test_a_person_who_is_shielded_by_the_raiser_is_withheld_from_that_party_with_the_account() -> None:
    life = life_with(PERSON)

    assert given(life) == {(FIELD_GROUP_IDENTITY, 2)}
    withheld = {(each.group, each.subject): each.rule for each in life.state.legs[LEG].offered.withheld}
    assert withheld[FIELD_GROUP_IDENTITY, 1] == withheld[FIELD_GROUP_NARRATIVE, 0] == "shielded"
    assert withheld[FIELD_GROUP_CONTACT, 1] == "default", "what the agreement withholds names the agreement's rule"


def test_the_account_is_given_where_somebody_read_it_and_found_nothing() -> None:
    free = Shield(part=SHIELDED_PART_ADDRESS, subject=1, partner_id="council-a", account_is_free_of_it=True)

    assert (FIELD_GROUP_NARRATIVE, 0) in given(life_with(free))


def test_another_party_is_told_and_a_shield_without_a_party_is_from_every_one() -> None:
    other = Shield(part=SHIELDED_PART_PERSON, subject=1, partner_id="homes")
    every = Shield(part=SHIELDED_PART_PERSON, subject=0)

    assert (FIELD_GROUP_IDENTITY, 1) in given(life_with(other))
    assert given(life_with(every)) == set()


def test_the_desk_shields_what_was_offered_and_learns_which_legs_have_it() -> None:
    life = life_with()
    assert (FIELD_GROUP_IDENTITY, 1) in given(life)

    [fact] = shield(life, PERSON)

    assert fact.shielded == routing_pb2.Shielded(shield=PERSON, reason="staff_known")
    assert have_it(life.state, PERSON) == [LEG]
    assert have_it(life.state, Shield(part=SHIELDED_PART_RAISER)) == [LEG], "it has the account, which may name them"
    assert have_it(life.state, Shield(part=SHIELDED_PART_RAISER, account_is_free_of_it=True)) == []
    later = offer_of(life.state, life.state.legs[LEG].offered, {}, REFERRAL)
    assert [subject.number for subject in later.subjects] == [2], "a copy that is opened from now on lacks it"
    assert list(later.given) == [FIELD_GROUP_IDENTITY]


def test_only_a_supervisor_or_whoever_protects_data_takes_a_shield_away() -> None:
    life = life_with(PERSON)
    with pytest.raises(Refused) as refused:
        shield(life, PERSON, DESK, lift=True)
    assert refused.value.why is Why.FORBIDDEN

    shield(life, PERSON, PROTECTION, lift=True)

    assert life.state.shields == []
    shield(life, PERSON)
    shield(life, PERSON, SUPERVISOR, lift=True)
    assert life.state.shields == []


@pytest.mark.parametrize(
    ("what", "lift", "why"),
    [
        (PERSON, False, Why.ILLEGAL),
        (Shield(part=SHIELDED_PART_RAISER), True, Why.ILLEGAL),
        (Shield(part=SHIELDED_PART_PERSON, subject=7), False, Why.INVALID),
    ],
    ids=["hidden already", "not hidden", "no such subject"],
)
def test_a_shield_that_changes_nothing_is_refused(what: Shield, lift: bool, why: Why) -> None:
    life = life_with(PERSON)

    with pytest.raises(Refused) as refused:
        shield(life, what, SUPERVISOR, lift=lift)

    assert refused.value.why is why
    assert refused.value.right


def test_nobody_shields_a_referral_that_is_not_there() -> None:
    with pytest.raises(Refused) as refused:
        shield(Life(RoutingDecider(), Area()), PERSON)
    assert refused.value.why is Why.UNKNOWN


def area(*known: Partner) -> Snapshot:
    """The area's own files, with these partners; with the school where none is named."""
    return snapshot(known or (SCHOOL,), load_stated(FOLDER))


def preview(
    life: Life, partner: str = "meadowbank-school", basis: Any = LAWFUL_BASIS_SAFEGUARDING, *known: Partner
) -> routing_pb2.PreviewDisclosureResponse:
    asked = routing_pb2.PreviewDisclosureRequest(
        referral_id=REFERRAL, partner_id=partner, purpose="school_support", basis=basis
    )
    return previewed(area(*known), life.state, asked, NOW)


def test_a_preview_says_what_would_be_given_and_why_not_the_rest_and_sends_nothing() -> None:
    life = life_of(request(), roles=(SUBJECT_ROLE_CHILD, SUBJECT_ROLE_SUSPECT))
    before = dict(life.document.facts)
    found = preview(life)

    assert (found.agreement, found.not_asked) == ("police-and-meadowbank@1", "")
    assert len(found.groups) == 4 * 2 + 6
    assert all(group.rule and group.words for group in found.groups)
    by_place = {(group.group, group.subject): group for group in found.groups}
    child, suspect = by_place[FIELD_GROUP_IDENTITY, 1], by_place[FIELD_GROUP_IDENTITY, 2]
    assert (child.given, child.present) == (True, True)
    assert (suspect.given, suspect.rule) == (False, "nothing_of_adults")
    assert not by_place[FIELD_GROUP_SIGNS, 0].present
    assert life.document.facts == before


def test_a_preview_is_what_the_offer_then_holds() -> None:
    life = Life(RoutingDecider(), area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], Signs(), roles=[SUBJECT_ROLE_CHILD]))
    foreseen = {(g.group, g.subject, g.rule) for g in preview(life).groups if g.given and g.present}
    asked = request(service=SERVICE_KIND_SCHOOL)
    asked.purpose, asked.basis, asked.respond_clock = "school_support", LAWFUL_BASIS_SAFEGUARDING, "respond_green"
    [fact] = life.hear("triage", routed(asked), DESK)

    assert fact.offered.partner_id == "meadowbank-school"
    assert {(g.group, g.subject, g.rule) for g in fact.offered.given} == foreseen


def test_a_preview_knows_shields_and_consent() -> None:
    life = life_with(Shield(part=SHIELDED_PART_PERSON, subject=1, partner_id="meadowbank-school"))

    hidden = {
        group.rule for group in preview(life).groups if group.group == FIELD_GROUP_IDENTITY and group.subject == 1
    }
    assert hidden == {"shielded"}
    agreed = preview(life, basis=LAWFUL_BASIS_CONSENT)
    assert agreed.not_asked == "no_consent"
    assert not any(group.given for group in agreed.groups)


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"capacity": "full"}, "full"),
        ({"paused_until": date(2027, 1, 1)}, "paused"),
        ({"id": "another"}, "removed"),
    ],
)
def test_a_preview_says_why_the_partner_would_not_be_asked(known: dict[str, Any], why: str) -> None:
    assert (
        preview(life_with(), "meadowbank-school", LAWFUL_BASIS_SAFEGUARDING, replace(SCHOOL, **known)).not_asked == why
    )


def test_a_partner_without_an_agreement_has_no_preview() -> None:
    with pytest.raises(Refused) as refused:
        preview(life_with(), "nobody")
    assert refused.value.why is Why.UNKNOWN
    assert "meadowbank-school" in refused.value.right


def test_once_an_agreement_is_taken_away_its_partner_is_given_nothing_more() -> None:
    """Its open leg goes on: what it asks is answered with nothing, and no decision fails."""
    life = life_of(request(), roles=(SUBJECT_ROLE_CHILD,))
    without = replace(area(), agreements={})

    told = without.disclose("meadowbank-school", request(), life.state.known, NOW)

    assert not told.given
    assert {rule for _, _, rule in told.withheld} == {"no_agreement"}
