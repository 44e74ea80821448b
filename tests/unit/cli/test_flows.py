"""The demo tells one referral of each area from raised to closed, in words, and names nobody in it."""

from __future__ import annotations

import pytest

from safeguarding.v1.common_pb2 import (
    GRADE_RED,
    LAWFUL_BASIS_SAFEGUARDING,
    NEED_HOUSING,
    SERVICE_KIND_PROBATION,
    Standing,
)
from safeguarding.v1.partner_pb2 import Offer
from safeguarding.v1.routing_pb2 import LEG_STATE_COMPLETED, GetJourneyResponse, JourneyLeg
from services.cli.demo.areas import PLAN, personal
from services.cli.demo.flows import SHOWN, Flow, chosen, told
from services.cli.demo.play import Course
from services.cli.scenario import raisings
from tests.unit.e2e_checker.rightly import SCENARIO, referral_of

RULE = Standing(id="r", words="A child is hurt.", source="a book", unconfirmed_reason="nobody has looked")
GROUND = Standing(id="g", words="To ask would put it at risk.", source="an Act", confirmed=True)


def courses(count: int = 60) -> list[Course]:
    """Concerns of the scenario, played to their end."""
    found = [Course(raising, referral_of(raising), "REF", 1, ended=True) for raising in raisings(SCENARIO, count, "f")]
    for course in found:
        course.words = "What you told us was acted on."
    return found


def journey() -> GetJourneyResponse:
    leg = JourneyLeg(
        partner_id="probation",
        service=SERVICE_KIND_PROBATION,
        state=LEG_STATE_COMPLETED,
        basis=LAWFUL_BASIS_SAFEGUARDING,
        necessity="It supervises the person.",
        without_consent=GROUND,
    )
    return GetJourneyResponse(grade=GRADE_RED, graded_by=[RULE], legs=[leg])


def text(flow: Flow) -> str:
    return "\n".join(f"{about}: {line}" for about, line in flow.lines)


def test_each_area_has_a_concern_that_shows_it() -> None:
    stated = {concern.name: concern.area for concern in SCENARIO}

    assert {area: stated[name] for area, name in SHOWN.items()} == {area: area for area in PLAN}
    assert [course.stated.name for course in chosen(courses())] == list(SHOWN.values())


def test_where_that_one_was_not_played_the_areas_first_is_told() -> None:
    assert [course.stated.area for course in chosen(courses(1))] == [SCENARIO[0].area]
    assert chosen([]) == []


@pytest.mark.parametrize("course", chosen(courses()), ids=lambda course: course.stated.name)
def test_it_says_who_raised_it_why_it_was_graded_so_on_what_footing_partners_heard_and_what_came_of_it(
    course: Course,
) -> None:
    said = text(told(course, journey(), {"probation": Offer(needs=[NEED_HOUSING], end_report=True)}))

    assert f"story: {course.stated.story}" in said
    assert "graded: A child is hurt. (a book; not confirmed: nobody has looked)\ngraded: RED" in said
    assert "probation: asked for probation; It supervises the person; on safeguarding, without consent: To ask" in said
    assert "needs: housing" in said
    assert f"raiser reads: {course.words}" in said
    about = [about for about, _ in told(course, journey(), {}).lines]
    assert about.count("the desk") == len(course.stated.desk)


@pytest.mark.parametrize("course", chosen(courses()), ids=lambda course: course.stated.name)
def test_it_names_nobody(course: Course) -> None:
    said = text(told(course, journey(), {}))

    assert [each for each in personal(course.stated.concern) if len(each) > 3 and each in said] == []
