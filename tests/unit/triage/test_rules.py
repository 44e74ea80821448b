"""Rules grade and route as practitioners' sources say, and a file of rules that contradicts itself is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from safeguarding.v1 import common_pb2 as c
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PUBLIC
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Raised, SealedSubject
from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas
from services.chassis.language import Kind, Service, SubjectRole
from services.partner_routing.agreements import load_agreements
from services.triage.rules import Assessment, Features, load_rules

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
RULES = load_rules(AREA)
ALL_SERVICES = [number for number in c.ServiceKind.values() if number]


def assess(
    *kinds: Kind,
    signs: Signs | None = None,
    roles: tuple[SubjectRole, ...] = (),
    role: int = ROLE_OFFICER,
    anonymous: bool = False,
) -> Assessment:
    """Assess a concern by these features."""
    raised = Raised(
        kinds=kinds,
        signs=signs,
        area="bristol",
        subjects=[SealedSubject(number=place, role=each) for place, each in enumerate(roles, start=1)],
        anonymous=anonymous,
    )
    actor = Actor(role=ROLE_OFFICER if role == ROLE_OFFICER else ROLE_PUBLIC, id="a", kind="")
    return RULES.assess(Features.of(raised, actor))


def services(assessment: Assessment) -> set[Service]:
    """The services that are asked."""
    return {leg.service for leg in assessment.legs}


def ids(assessment: Assessment) -> set[str]:
    """The rules that fired."""
    return {rule.id for rule in assessment.fired}


def test_dash_of_fourteen_is_red_and_tells_a_domestic_abuse_service_without_consent() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=14))

    assert assessment.grade == c.GRADE_RED
    support = next(leg for leg in assessment.legs if leg.service == c.SERVICE_KIND_DOMESTIC_ABUSE_SUPPORT)
    assert support.basis == c.LAWFUL_BASIS_SAFEGUARDING
    assert support.respond_clock == "respond_red"


def test_dash_of_thirteen_is_amber_and_a_dash_that_was_not_asked_is_no_dash_of_zero() -> None:
    asked = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=13))
    not_asked = assess(c.CONCERN_KIND_DOMESTIC_ABUSE)

    assert asked.grade == not_asked.grade == c.GRADE_AMBER
    assert "dash_14" not in ids(asked) | ids(not_asked)


def test_judgement_never_lowers_what_dash_says() -> None:
    at_high_risk = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=14))
    by_judgement = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(judged_high_risk=True))

    assert at_high_risk.floor == c.GRADE_RED
    assert by_judgement.floor == c.GRADE_UNSPECIFIED


def test_judgement_raises_a_low_dash_to_red() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=2, judged_high_risk=True))

    assert assessment.grade == c.GRADE_RED


def test_children_in_an_abusive_home_bring_social_care_and_the_school_before_it_opens() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(child_lives_here=True, school_age_child=True))

    assert services(assessment) == {
        c.SERVICE_KIND_POLICE_SAFEGUARDING,
        c.SERVICE_KIND_CHILDRENS_SOCIAL_CARE,
        c.SERVICE_KIND_SCHOOL,
    }
    school = next(leg for leg in assessment.legs if leg.service == c.SERVICE_KIND_SCHOOL)
    assert school.respond_clock == "respond_before_school"
    assert school.basis == c.LAWFUL_BASIS_LEGAL_OBLIGATION


def test_of_a_child_who_is_taught_at_home_the_council_is_told_in_the_schools_place() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(school_age_child=True, home_educated=True))

    assert services(assessment) == {c.SERVICE_KIND_POLICE_SAFEGUARDING, c.SERVICE_KIND_CHILDRENS_SOCIAL_CARE}
    assert "operation_encompass_at_home" in ids(assessment)


def test_abuse_again_after_a_marac_goes_back_to_it_whatever_the_score_says() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=3, heard_at_marac=True))

    assert assessment.grade == c.GRADE_RED
    [unit] = [leg for leg in assessment.legs if leg.service == c.SERVICE_KIND_POLICE_SAFEGUARDING]
    assert unit.work_clock == "work_marac"
    assert c.SERVICE_KIND_DOMESTIC_ABUSE_SUPPORT in services(assessment)


def test_only_police_attendance_starts_operation_encompass() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(school_age_child=True), role=ROLE_PUBLIC)

    assert c.SERVICE_KIND_SCHOOL not in services(assessment)


def test_legs_for_one_service_become_one_in_the_words_of_the_strongest_rule() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(dash_score=20, consents_to_support=True))

    support = [leg for leg in assessment.legs if leg.service == c.SERVICE_KIND_DOMESTIC_ABUSE_SUPPORT]
    assert len(support) == 1
    assert support[0].rule_ids == ("dash_14", "abuse_support_agreed")
    assert support[0].basis == c.LAWFUL_BASIS_SAFEGUARDING
    assert support[0].respond_clock == "respond_red"


def test_nothing_known_of_an_adults_needs_is_held_for_the_desk() -> None:
    assessment = assess(c.CONCERN_KIND_ADULT_AT_RISK, roles=(c.SUBJECT_ROLE_ADULT_AT_RISK,))

    assert assessment.held
    assert assessment.legs == ()
    assert assessment.grade == c.GRADE_GREEN


def test_danger_now_is_never_held() -> None:
    assessment = assess(
        c.CONCERN_KIND_ADULT_AT_RISK, signs=Signs(immediate_danger=True), role=ROLE_PUBLIC, anonymous=True
    )

    assert not assessment.held
    assert services(assessment) == {c.SERVICE_KIND_POLICE_RESPONSE}
    assert assessment.grade == c.GRADE_RED


def test_a_third_complaint_reaches_the_case_review() -> None:
    second = assess(c.CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, signs=Signs(complaints_in_six_months=2))
    third = assess(c.CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, signs=Signs(complaints_in_six_months=3))

    assert (second.grade, third.grade) == (c.GRADE_GREEN, c.GRADE_AMBER)
    assert services(third) - services(second) == {c.SERVICE_KIND_COMMUNITY_SAFETY}


def test_three_of_the_five_signs_of_vulnerability_that_an_officer_sees_bring_a_second_look() -> None:
    two = Signs(vulnerable_appearance=True, vulnerable_environment=True)
    three = Signs(vulnerable_appearance=True, vulnerable_communication=True, vulnerable_danger=True)

    assert "vulnerable_adult" not in ids(assess(c.CONCERN_KIND_HATE_CRIME, signs=two))
    found = assess(c.CONCERN_KIND_HATE_CRIME, signs=three)
    assert found.grade == c.GRADE_AMBER
    assert c.SERVICE_KIND_POLICE_SAFEGUARDING in services(found)
    assert "vulnerable_adult" not in ids(assess(c.CONCERN_KIND_HATE_CRIME, signs=three, role=ROLE_PUBLIC))
    child = assess(c.CONCERN_KIND_HATE_CRIME, signs=three, roles=(c.SUBJECT_ROLE_CHILD,))
    assert c.SERVICE_KIND_CHILDRENS_SOCIAL_CARE in services(child)


def test_another_grade_changes_the_clocks_of_legs_that_have_none_of_their_own() -> None:
    assessment = assess(c.CONCERN_KIND_DOMESTIC_ABUSE, signs=Signs(child_lives_here=True))

    regraded = assessment.regraded(c.GRADE_RED)

    assert regraded.grade == c.GRADE_RED
    assert {leg.respond_clock for leg in assessment.legs} == {"respond_amber", "respond_child_referral"}
    assert {leg.respond_clock for leg in regraded.legs} == {"respond_red", "respond_child_referral"}


def test_a_fired_rule_goes_into_the_fact_in_its_own_words() -> None:
    rule = next(rule for rule in RULES.all if rule.id == "section_42")

    fact = rule.as_fired()

    assert (fact.rule_id, fact.words, fact.source) == (rule.id, rule.words, rule.source)
    assert fact.confirmed
    assert fact.grade == c.GRADE_AMBER


def test_there_are_thirty_rules_and_every_unconfirmed_one_says_why() -> None:
    assert len(RULES.all) >= 30
    assert all(rule.confirmed or rule.unconfirmed_reason for rule in RULES.all)


@pytest.mark.parametrize(
    ("before", "after", "line_says", "wrong"),
    [
        ("dash_score = 14 }", "dash_score = 13 }", "example_fires", "dash_14 does not fire on its example_fires"),
        ("dash_score = 13 }", "dash_score = 15 }", "example_not", "dash_14 fires on its example_not"),
        ("when.dash_score_at_least = 14", "when.dash_at_least = 14", "dash_at_least", "unknown key 'dash_at_least'"),
        ('id = "weapon"', 'id = "immediate_danger"', 'id = "immediate_danger"', "is used twice"),
        ('when.signs = ["weapon"]', 'when.signs = ["wepon"]', "wepon", "'wepon' is no sign"),
        ('service = "farm_watch"', 'service = "parole"', "parole", "'parole' is no such word"),
        (
            'respond_clock = "respond_before_school"',
            'respond_clock = "respond_before_tea"',
            "respond_before_tea",
            "no clock respond_before_tea",
        ),
        (
            'source = "Community SpeedWatch practice: observations go to the neighbourhood team"\n',
            "",
            "[[rule]]",
            "the key 'source' is missing",
        ),
        ('when.signs = ["weapon"]\ngrade = "amber"\n', 'when.signs = ["weapon"]\n', "[[rule]]", "without an effect"),
        (
            'when.signs = ["weapon"]\ngrade = "amber"\n',
            'when.signs = ["weapon"]\nfloor = true\nhold_for_desk = true\n',
            "floor = true",
            "a floor without a grade",
        ),
        (
            'when.kinds = ["road_danger"]\ngrade = "green"',
            'when = {}\ngrade = "green"',
            "when = {}",
            "a rule without a condition",
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, line_says: str, wrong: str
) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    path = area / "rules.toml"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))

    with pytest.raises(FileRefused) as caught:
        load_rules(area)

    assert caught.value.file == path
    assert wrong in caught.value.wrong
    assert caught.value.right
    assert line_says in path.read_text().splitlines()[caught.value.line - 1]


def test_every_leg_that_a_rule_asks_for_finds_in_every_area_a_partner_with_an_agreement_or_the_lead_agency() -> None:
    areas, agreements = load_areas(AREA), load_agreements(AREA)
    able = {
        (service, purpose, code)
        for partner in areas.partners
        for purpose in agreements[partner.id].purposes
        for code in partner.areas
        for service in (ALL_SERVICES if partner.lead else partner.serves)
    }

    asked = {(leg.service, leg.purpose) for rule in RULES.all for leg in rule.leg}
    assert {(*leg, code) for leg in asked for code in areas.codes} - able == set()
