"""What came of each of the plan's six areas is counted from what was seen, and nobody is named by feedback unseen."""

from __future__ import annotations

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_PUBLIC, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.insight_pb2 import FigureCell, GetFigureResponse, GetOwnServiceResponse
from safeguarding.v1.routing_pb2 import GetJourneyResponse, JourneyStep, JourneyVictim
from services.cli.demo.areas import PLAN, AreaResult, personal, results
from services.cli.demo.asked import Asked, column, said
from services.cli.demo.play import Course
from services.cli.scenario import raisings
from tests.e2e.checker import Observations
from tests.unit.e2e_checker.rightly import SCENARIO, referral_of, seen

RAISED = raisings(SCENARIO, 30, "areas")


def courses() -> list[Course]:
    """Every concern of the scenario, played to its end."""
    found = []
    for raising in RAISED:
        course = Course(raising, referral_of(raising), "REF", 1, ended=True)
        course.answered |= {each.id for each in raising.stated.partners.values() if not each.is_silent}
        course.words = "What you told us was acted on."
        found.append(course)
    return found


def came(asked: Asked | None = None, played: list[Course] | None = None) -> dict[int, AreaResult]:
    found = results(played if played is not None else courses(), seen(RAISED), asked or Asked())
    return {each.area: each for each in found}


def test_every_concern_counts_in_the_one_area_that_it_states() -> None:
    found = came()

    assert [each.name for each in found.values()] == list(PLAN.values())
    assert sum(each.concerns for each in found.values()) == len(SCENARIO)
    for number, each in found.items():
        stated = [concern for concern in SCENARIO if concern.area == number]
        assert each.concerns == each.closed == each.raisers_told == len(stated)
        assert each.partners_told == sum(len(concern.partners) for concern in stated)


def test_nothing_seen_is_nothing_counted() -> None:
    for each in results([], Observations(), Asked()):
        assert (each.concerns, each.partners_told, each.answered, each.raisers_told, each.closed) == (0, 0, 0, 0, 0)
        assert {value for value in each.figures.values()} <= {0, "none"}


@pytest.mark.parametrize("number", [3])
def test_feedback_that_names_somebody_is_counted(number: int) -> None:
    played = courses()
    assert came(played=played)[number].figures["named_in_feedback"] == 0

    course = next(each for each in played if each.stated.area == number and each.stated.concern.raiser.name)
    course.words += f" Thank you, {course.stated.concern.raiser.name}."

    assert came(played=played)[number].figures["named_in_feedback"] == 1
    assert course.stated.concern.raiser.name in set(personal(course.stated.concern))


def test_each_area_has_figures_of_its_own() -> None:
    victim = JourneyVictim(subject=1, contact_id="victim-care-2", assessed=True, rights=[1], satisfaction=4)
    by = [Actor(role=role) for role in (ROLE_TRIAGE, ROLE_PUBLIC)]
    journey = GetJourneyResponse(
        victims=[victim, JourneyVictim(subject=2)], steps=[JourneyStep(kind="outcome_told", actor=who) for who in by]
    )
    of_victims = next(course.referral_id for course in courses() if course.stated.area == 5)
    own = {"farm-watch": GetOwnServiceResponse(offered=3, in_time=2), "silent": GetOwnServiceResponse()}
    asked = Asked(disclosures={"a": 3, "b": 2}, journeys={of_victims: journey}, own=own)
    figures = {number: each.figures for number, each in came(asked).items()}

    assert figures[1]["anonymous"] == 1
    assert figures[2]["disclosures_in_the_ledger"] == 5
    assert figures[3]["speeds_measured"] == 3
    assert figures[4]["mappa_managed"] == 1
    assert (figures[5]["accompanied"], figures[5]["asked_how_it_was"]) == (1, 1)
    assert figures[5]["victims_told_or_a_reason_why_not"] == 1
    assert (figures[6]["partners"], figures[6]["partners_that_see_their_own_levels"]) == (2, 1)
    assert figures[6]["answered_in_time"] == 2
    assert figures[6]["conferences_held"] == 1


def test_a_masked_count_is_said_to_be_masked() -> None:
    cells = [FigureCell(count=7), FigureCell(masked=True)]
    figure = GetFigureResponse(columns=["in_time", "late"], column_totals=cells)

    assert (column(figure, "in_time"), column(figure, "late"), column(figure, "other")) == (7, "masked", 0)
    assert (column(None, "late"), said(FigureCell())) == (0, 0)
