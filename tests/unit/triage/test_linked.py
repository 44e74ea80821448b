"""What triage decides of links: suggestions that count towards thresholds, until a person says no."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
    CONCERN_KIND_DOMESTIC_ABUSE,
    GRADE_GREEN,
    SERVICE_KIND_COMMUNITY_SAFETY,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Amended, IntakeFact
from safeguarding.v1.triage_pb2 import (
    LINK_JUDGEMENT_CONFIRMED,
    LINK_JUDGEMENT_REJECTED,
    SAMENESS_HOUSEHOLD,
    SAMENESS_LOCATION,
    SAMENESS_PERSON,
    ConfirmLinkRequest,
    Linked,
    RejectLinkRequest,
)
from services.chassis.deciding import Refused, Why
from services.chassis.engine.document import fold
from services.links import assessed
from services.triage.area import Area
from services.triage.domain import TriageDecider
from services.triage.rules import load_rules
from tests.unit.domains import DESK, NOON, REFERRAL, Life, kinds_of, raised

AREA_FOLDER = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
AREA = Area(AREA_FOLDER)

ABUSE = CONCERN_KIND_DOMESTIC_ABUSE
NUISANCE = CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR


def other(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def linked(
    number: int,
    days_ago: float,
    kind: Any = ABUSE,
    same: Any = SAMENESS_PERSON,
    score: int = 90,
    complainant: bool | None = None,
) -> Linked:
    link = Linked(
        other_referral_id=other(number),
        by="number",
        score=score,
        same=[same],
        other_kinds=[kind],
        same_complainant=complainant,
    )
    link.other_raised_at.FromDatetime(NOON - timedelta(days=days_ago))
    return link


def life_with(links: Sequence[Linked], kind: Any = ABUSE, signs: Signs | None = None) -> tuple[Life, list[Any]]:
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: links}})
    return life, life.hear("intake", raised([kind], signs))


def fired(life: Life) -> set[str]:
    return {rule.rule_id for rule in life.state.fired}


def counts(life: Life) -> tuple[int, int]:
    signs = life.state.concern.signs
    return signs.abuse_events_in_twelve_months, signs.complaints_in_six_months


def judged(life: Life, body: Any) -> list[Any]:
    return life.say(body, DESK)


def third_event_rule() -> str:
    [rule] = [rule for rule in load_rules(AREA_FOLDER).all if rule.when.abuse_events_in_twelve_months_at_least]
    return rule.id


def case_review_rule() -> str:
    return "asb_case_review_by_neighbours"


def test_the_third_event_in_a_year_is_counted_though_nobody_said_so() -> None:
    life, facts = life_with([linked(1, 30), linked(2, 300, same=SAMENESS_HOUSEHOLD)])

    assert kinds_of(facts)[:3] == ["linked", "linked", "graded"]
    assert counts(life) == (3, 0)
    assert third_event_rule() in fired(life)
    assert third_event_rule() not in fired(life_with([linked(1, 30)])[0])


def complaints(*own: bool | None) -> list[Linked]:
    """Earlier complaints about the same place, ten days apart, and whether each is of the same complainant."""
    return [
        linked(number, 10 * number, NUISANCE, SAMENESS_LOCATION, complainant=each)
        for number, each in enumerate(own, start=1)
    ]


def in_area(area: str, links: Sequence[Linked], signs: Signs | None = None) -> set[str]:
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: links}})
    life.hear("intake", raised([NUISANCE], signs, area=area))
    return {rule for rule in fired(life) if rule.startswith("asb_case_review")}


def test_the_third_complaint_of_one_asks_for_a_case_review() -> None:
    life, _ = life_with(complaints(True, True), NUISANCE)

    assert "asb_case_review_by_neighbours" in fired(life)
    assert SERVICE_KIND_COMMUNITY_SAFETY in life.state.services


@pytest.mark.parametrize(
    ("area", "own", "rule"),
    [
        ("somerset", (True, True), "asb_case_review"),
        ("north-somerset", (True, True), "asb_case_review"),
        ("bristol", (True, True), "asb_case_review_by_neighbours"),
        ("somerset", (False, False), None),
        ("somerset", (True, False), None),
        ("somerset", (False, False, False, True), "asb_case_review_of_several"),
        ("somerset", (False, False, False), None),
        ("north-somerset", (False, False, False, False), "asb_case_review_of_several_by_neighbours"),
        ("somerset", (None, None), None),
    ],
    ids=[
        "one person's third",
        "one person's third, North Somerset",
        "one person's third, where no page was found",
        "three people's third",
        "two people's third",
        "the fifth, by several",
        "the fourth, by several",
        "the fifth, where no number for several was found",
        "who complained is not said, and only the place is the same",
    ],
)
def test_each_council_has_its_own_threshold_of_one_and_of_several(
    area: str, own: tuple[bool | None, ...], rule: str | None
) -> None:
    assert in_area(area, complaints(*own)) == ({rule} if rule else set())


def test_what_one_says_of_their_own_complaints_counts_with_those_of_others() -> None:
    several = "asb_case_review_of_several"

    assert several not in in_area("somerset", complaints(False, False), Signs(complaints_in_six_months=2))
    assert several in in_area("somerset", complaints(False, False), Signs(complaints_in_six_months=3))


def test_a_rejected_link_takes_a_complaint_of_several_away() -> None:
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: complaints(False, False, False, False)}})
    life.hear("intake", raised([NUISANCE], area="somerset"))
    assert life.state.by_several == 5
    assert next(rule for rule in life.state.fired if "several" in rule.rule_id).counted == 5

    judged(life, RejectLinkRequest(other_referral_id=other(2)))

    assert life.state.by_several == 4


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        (linked(1, 400), ABUSE),
        (linked(1, 30, NUISANCE), ABUSE),
        (linked(1, 30, same=SAMENESS_LOCATION), ABUSE),
        (linked(1, 200, NUISANCE), NUISANCE),
        (linked(1, 30), NUISANCE),
    ],
    ids=["over a year ago", "of another kind", "at the same place only", "over six months ago", "this of another kind"],
)
def test_what_is_no_such_event_is_not_counted(link: Linked, kind: Any) -> None:
    life, facts = life_with([link], kind)

    assert "linked" in kinds_of(facts)
    assert max(counts(life)) <= 1


def test_events_count_within_any_twelve_months_with_this_one_in_them() -> None:
    """A referral may be heard of after later ones."""
    assert counts(life_with([linked(1, 200), linked(2, -100)])[0]) == (3, 0)
    assert counts(life_with([linked(1, 200), linked(2, -200)])[0]) == (2, 0)


def test_what_the_raiser_counted_is_kept_where_it_is_more() -> None:
    life, _ = life_with([linked(1, 30)], signs=Signs(abuse_events_in_twelve_months=5))

    assert counts(life) == (5, 0)
    assert life.state.known.raised.signs.abuse_events_in_twelve_months == 5


def test_a_link_is_suggested_once() -> None:
    life, _ = life_with([linked(1, 30)])
    before = life.state.sequence

    again = life.hear("intake", raised([ABUSE]))

    assert "linked" not in kinds_of(again)
    assert life.state.sequence == before


def test_a_rejected_link_counts_no_more_and_a_confirmed_one_counts_again() -> None:
    life, _ = life_with([linked(1, 30), linked(2, 300)])

    [rejection] = judged(life, RejectLinkRequest(other_referral_id=other(2)))
    assert rejection.link_rejected.other_referral_id == other(2)
    assert counts(life) == (2, 0)

    judged(life, ConfirmLinkRequest(other_referral_id=other(2)))
    assert counts(life) == (3, 0)
    assert [link.judgement for link in assessed(life.state.links)].count(LINK_JUDGEMENT_CONFIRMED) == 1


def test_a_confirmation_that_reaches_a_threshold_grades_anew_as_the_service() -> None:
    """Nobody at the desk decided that grade."""
    life, _ = life_with([linked(1, 30)])
    judged(life, RejectLinkRequest(other_referral_id=other(1)))
    life.gathered = {"links": {REFERRAL: [linked(2, 60)]}}
    life.hear("intake", IntakeFact(amended=Amended(kinds=[ABUSE])))
    assert third_event_rule() not in fired(life)

    confirmed, graded, *_ = judged(life, ConfirmLinkRequest(other_referral_id=other(1)))

    assert confirmed.header.actor == DESK
    assert graded.header.actor.role == ROLE_SERVICE
    assert third_event_rule() in fired(life)


@pytest.mark.parametrize("request_type", [ConfirmLinkRequest, RejectLinkRequest])
def test_only_a_link_that_exists_is_judged_and_not_twice_alike(request_type: Any) -> None:
    life, _ = life_with([linked(1, 30)])

    with pytest.raises(Refused) as unknown:
        judged(life, request_type(other_referral_id=other(9)))
    judged(life, request_type(other_referral_id=other(1)))
    with pytest.raises(Refused) as repeated:
        judged(life, request_type(other_referral_id=other(1)))

    assert unknown.value.why is Why.UNKNOWN
    assert repeated.value.why is Why.ILLEGAL
    assert repeated.value.legal


def test_links_are_read_likeliest_first_and_rejected_last() -> None:
    life, _ = life_with([linked(1, 30, score=50), linked(2, 30, score=80), linked(3, 30, score=95)])
    judged(life, RejectLinkRequest(other_referral_id=other(3)))

    found = assessed(life.state.links)

    assert [link.linked.score for link in found] == [80, 50, 95]
    assert found[-1].judgement == LINK_JUDGEMENT_REJECTED


def test_the_same_facts_give_the_same_links_and_grade() -> None:
    """A rebuild reads them from the topics, and asks for nothing."""
    life, _ = life_with([linked(1, 30), linked(2, 300)])
    judged(life, RejectLinkRequest(other_referral_id=other(2)))
    document = life.document

    folded = fold(TriageDecider(), {"_id": REFERRAL, "revision": "", "published": 0, "facts": {**document.facts}})

    assert folded.state == life.state
    assert folded.state.grade > GRADE_GREEN
