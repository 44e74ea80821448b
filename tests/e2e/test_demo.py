"""`referrals demo` as a person types it: its last line, its exit status, what came of each of the plan's six areas."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_PUBLIC
from services.cli.demo import run
from services.cli.demo.areas import PLAN
from services.cli.demo.flows import SHOWN
from services.cli.local.home import CHECKOUT
from services.cli.scenario import Accompany, Confer, ScenarioConcern

pytestmark = pytest.mark.e2e

REFERRALS = str(Path(sys.executable).with_name("referrals"))


@dataclass(frozen=True)
class Held:
    """A demo that was held, as it told of itself, and the folder in which it did."""

    found: dict[str, Any]
    temporary: Path


def demo(temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with a folder of its own for what is temporary."""
    return subprocess.run(
        [REFERRALS, "demo", *options],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """The demo as it is held by itself, told as one JSON document; the six areas are read from it too."""
    temporary = tmp_path_factory.mktemp("sixty")
    held = demo(temporary, "--json")
    assert held.returncode == 0, held.stdout + held.stderr
    return Held(json.loads(held.stdout), temporary)


@pytest.mark.timeout(180)
def test_sixty_concerns_come_from_raised_to_closed_and_nothing_is_lost(sixty: Held) -> None:
    concerns = run.scenario()
    demanded = sum(len(concerns[number % len(concerns)].partners) for number in range(60))

    assert sixty.found["line"] == (
        f"demo: 60 raised, {demanded} demanded, {demanded} received, 60 closed, 0 lost, 0 duplicated, 0 repeated"
    )
    assert (sixty.found["raised"], sixty.found["closed"], sixty.found["faults"]) == (60, 60, [])
    assert list(sixty.temporary.iterdir()) == [], "a run that was right leaves no home, and so no process in it"


@pytest.mark.timeout(180)
def test_a_person_is_shown_the_areas_and_the_count_as_the_last_line(tmp_path: Path) -> None:
    held = demo(tmp_path, "--concerns", "5")

    last = held.stdout.splitlines()[-1] if held.stdout else held.stderr
    demanded = sum(len(concern.partners) for concern in run.scenario()[:5])
    assert last == (
        f"demo: 5 raised, {demanded} demanded, {demanded} received, 5 closed, 0 lost, 0 duplicated, 0 repeated"
    ), held.stdout
    assert held.returncode == 0
    assert all(name in held.stdout for name in ("Public engagement", "Reducing reoffending"))
    assert list(tmp_path.iterdir()) == []


class Area:
    """One area of the demo's document beside what the scenario, twice over, demands of it."""

    def __init__(self, sixty: Held, number: int) -> None:
        [self.found] = [each for each in sixty.found["areas"] if each["area"] == number]
        self.figures: dict[str, Any] = self.found["figures"]
        self.concerns = [concern for concern in run.scenario() if concern.area == number] * 2

    def count(self, true: Callable[[ScenarioConcern], object]) -> int:
        """How many of its concerns are so."""
        return sum(bool(true(concern)) for concern in self.concerns)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", PLAN)
def test_in_each_area_everybody_was_told_answered_and_told_back(sixty: Held, number: int) -> None:
    area = Area(sixty, number)
    answering = [each for concern in area.concerns for each in concern.partners.values() if not each.is_silent]

    assert area.concerns
    assert area.found["name"] == PLAN[number]
    assert area.found["concerns"] == area.found["closed"] == area.found["raisers_told"] == len(area.concerns)
    assert area.found["partners_told"] == sum(len(concern.partners) for concern in area.concerns)
    assert area.found["answered"] == len(answering)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", PLAN)
def test_in_each_area_one_referral_is_told_from_raised_to_what_its_raiser_reads(sixty: Held, number: int) -> None:
    [flow] = [each for each in sixty.found["flows"] if each["area"] == number]
    [concern] = [each for each in run.scenario() if each.name == SHOWN[number]]
    about = [line[0] for line in flow["lines"]]

    assert {*concern.partners, "story", "raised by", "graded", "raiser reads"} <= set(about)
    assert about.count("the desk") == len(concern.desk)
    assert ("the victim" in about) == (number == 5)
    assert ("conference" in about) == (number == 6)


def test_public_engagement_hears_those_who_are_seldom_heard(sixty: Held) -> None:
    area = Area(sixty, 1)
    equality = sum(bool(concern.equality.ethnic_group) for concern in run.scenario()) * 2

    assert area.figures["anonymous"] == area.count(lambda concern: concern.concern.anonymous) > 0
    assert area.figures["with_an_interpreter"] > 0
    assert area.figures["in_another_format"] > 0
    assert area.figures["raised_by_the_public"] == 2 * sum(
        concern.raiser.role == ROLE_PUBLIC for concern in run.scenario()
    )
    assert area.figures["equality_answers"] == equality >= 5


def test_criminal_justice_has_a_ledger_of_every_disclosure_and_figures_on_decisions(sixty: Held) -> None:
    area = Area(sixty, 2)
    every = [each for concern in run.scenario() * 2 for each in concern.partners.values()]

    assert area.figures["disclosures_in_the_ledger"] == area.found["partners_told"] > 0
    assert area.figures["decided_in_time"] == 60
    assert area.figures["decided_late"] == 0
    declined = sum(each.declined is not None for each in every)
    assert area.figures["legs_declined"] == (declined if declined >= 5 else "masked")
    assert area.figures["legs_ended"] == sum(bool(each.outcome) or each.failed is not None for each in every)


def test_citizens_in_policing_say_where_and_what_and_their_feedback_names_nobody(sixty: Held) -> None:
    area = Area(sixty, 3)
    kinds = {concern.raiser.kind for concern in area.concerns}

    assert {
        "special_constable", "police_support_volunteer", "police_cadet", "neighbourhood_watch", "farm_watch",
        "community_speedwatch",
    } <= kinds  # fmt: skip
    assert area.figures["kinds_of_raiser"] == len(kinds)
    assert area.figures["places_without_an_address"] > 0
    assert area.figures["vehicles"] > 0
    assert area.figures["livestock"] > 0
    speeds = sum(len(concern.concern.vehicle.speeds) for concern in area.concerns)
    assert area.figures["speeds_measured"] == speeds > 0
    assert area.figures["named_in_feedback"] == 0


def test_reoffending_follows_pathways_and_ends_with_reports(sixty: Held) -> None:
    area = Area(sixty, 4)

    assert area.figures["iom_managed"] > 0
    assert area.figures["mappa_managed"] > 0
    assert area.figures["needs_met_by_a_pathway"] == "employment, health, housing, substances"
    assert area.figures["legs_that_want_a_report"] > 0
    assert area.figures["ended_with_a_report"] == area.found["answered"]
    assert area.figures["repeats"] != 0, "the same people come again in the second round"


def test_victims_people_and_businesses_in_town_and_country_are_followed_to_the_end(sixty: Held) -> None:
    area = Area(sixty, 5)
    accompanied = area.count(lambda concern: any(isinstance(action, Accompany) for action in concern.desk))

    assert area.figures["businesses"] == area.count(lambda concern: concern.signs.business_victim) > 0
    assert area.figures["rural"] == area.count(lambda concern: concern.signs.rural) > 0
    assert area.figures["case_reviews"] > 0
    assert area.figures["rights_that_apply"] > area.figures["with_enhanced_rights"] > 0
    assert area.figures["accompanied"] == area.figures["asked_how_it_was"] == accompanied > 0
    assert area.figures["victims_told_or_a_reason_why_not"] == area.count(lambda concern: concern.ending.victim) > 0


def test_each_partner_sees_its_own_service_levels(sixty: Held) -> None:
    area = Area(sixty, 6)
    every = {name for concern in run.scenario() for name in concern.partners}
    answering = [each for concern in run.scenario() * 2 for each in concern.partners.values() if not each.is_silent]

    assert area.figures["partners"] == area.figures["partners_that_see_their_own_levels"] == len(every)
    assert area.figures["answered_in_time"] == len(answering)
    assert area.figures["several_partners"] == area.count(lambda concern: len(concern.partners) > 1) > 0
    assert area.figures["went_on_to_another"] > 0
    met = area.count(lambda concern: any(isinstance(action, Confer) for action in concern.desk))
    assert area.figures["conferences_held"] == area.figures["decisions_of_conferences"] == met > 0
    assert area.figures["asked_the_raiser"] > 0
