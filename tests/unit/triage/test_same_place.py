"""A rule may count what happened at one place: by the links that stand, within its own time, of the kinds it names."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
    CONCERN_KIND_CHILD_AT_RISK,
    CONCERN_KIND_EXPLOITATION,
    CONCERN_KIND_HATE_CRIME,
    CONCERN_KIND_ROAD_DANGER,
    CONCERN_KIND_RURAL_CRIME,
    GRADE_AMBER,
    GRADE_GREEN,
    GRADE_RED,
    SERVICE_KIND_POLICE_SAFEGUARDING,
)
from safeguarding.v1.concern_pb2 import Concern, Contact, Place, Signs, Subject
from safeguarding.v1.intake_pb2 import Amended, IntakeFact
from safeguarding.v1.triage_pb2 import (
    SAMENESS_HOUSEHOLD,
    SAMENESS_LOCATION,
    SAMENESS_PERSON,
    ConfirmLinkRequest,
    FiredRule,
    Linked,
    RejectLinkRequest,
)
from services.chassis.areafile import FileRefused
from services.triage.area import Area
from services.triage.domain import TriageDecider
from services.triage.rules import load_rules
from tests.fakes.linking import Linking
from tests.unit.domains import DESK, NOON, REFERRAL, Life, raised

AREA_FOLDER = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
AREA = Area(AREA_FOLDER)
REPEAT = "repeat_location"
HARE_COURSING = CONCERN_KIND_RURAL_CRIME
NUISANCE = CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR
SPEEDING = CONCERN_KIND_ROAD_DANGER
EXPLOITATION = CONCERN_KIND_EXPLOITATION
UPRN = "100023336956"


def other(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def there(
    number: int, days_ago: float, kind: Any = CONCERN_KIND_HATE_CRIME, by: str = "place", same: Any = SAMENESS_LOCATION
) -> Linked:
    link = Linked(other_referral_id=other(number), by=by, score=45, same=[same], other_kinds=[kind])
    link.other_raised_at.FromDatetime(NOON - timedelta(days=days_ago))
    return link


def life_with(links: Sequence[Linked], kind: Any = HARE_COURSING, signs: Signs | None = None) -> Life:
    life = Life(TriageDecider(), AREA, {"links": {REFERRAL: links}})
    life.hear("intake", raised([kind], signs))
    return life


def fired(life: Life) -> dict[str, FiredRule]:
    return {rule.rule_id: rule for rule in life.state.fired}


def test_the_third_concern_of_any_kind_at_a_place_is_amber_and_says_that_it_is_the_third() -> None:
    life = life_with([there(1, 30), there(2, 300, CONCERN_KIND_CHILD_AT_RISK)])

    assert life.state.grade == GRADE_AMBER
    assert fired(life)[REPEAT].counted == 3
    assert not fired(life)[REPEAT].confirmed
    assert fired(life)[REPEAT].unconfirmed_reason
    assert fired(life)["rural_crime"].counted == 0, "it counts nothing"


def test_the_second_is_what_it_would_be_anywhere() -> None:
    life = life_with([there(1, 30)])

    assert life.state.grade == GRADE_GREEN
    assert REPEAT not in fired(life)


@pytest.mark.parametrize(
    "second",
    [
        there(2, 366),
        there(2, 30, SPEEDING),
        there(2, 30, by="number", same=SAMENESS_PERSON),
        there(2, 30, by="telephone", same=SAMENESS_HOUSEHOLD),
    ],
    ids=["over a year ago", "of a kind that does not count", "the same person elsewhere", "the same telephone"],
)
def test_what_is_not_of_this_place_time_and_kind_is_not_counted(second: Linked) -> None:
    assert REPEAT not in fired(life_with([there(1, 30), second]))


def test_a_concern_of_a_kind_that_does_not_count_is_no_third() -> None:
    assert REPEAT not in fired(life_with([there(1, 30), there(2, 60)], SPEEDING))


def test_concerns_about_one_home_are_at_one_place() -> None:
    home = there(2, 30, by="address, name_and_birth_date", same=SAMENESS_HOUSEHOLD)

    assert fired(life_with([there(1, 60), home]))[REPEAT].counted == 3


def test_a_rejected_link_counts_no_more_and_a_confirmed_one_counts_again() -> None:
    life = life_with([there(1, 30)])
    life.say(RejectLinkRequest(other_referral_id=other(1)), DESK)
    life.gathered = {"links": {REFERRAL: [there(2, 60)]}}
    life.hear("intake", IntakeFact(amended=Amended(kinds=[HARE_COURSING])))
    assert REPEAT not in fired(life)
    assert life.state.grade == GRADE_GREEN

    life.say(ConfirmLinkRequest(other_referral_id=other(1)), DESK)

    assert fired(life)[REPEAT].counted == 3
    assert life.state.grade == GRADE_AMBER


def test_the_fact_says_how_many_and_not_which() -> None:
    rule = fired(life_with([there(1, 30), there(2, 60)]))[REPEAT]

    assert other(1).encode() not in rule.SerializeToString()
    assert other(2).encode() not in rule.SerializeToString()


THERE = Concern(kinds=[HARE_COURSING], place=Place(uprn=UPRN))
LIVES_THERE = Concern(kinds=[HARE_COURSING], subjects=[Subject(contact=Contact(uprn=UPRN))])


@pytest.mark.parametrize("concerns", [[THERE, LIVES_THERE, THERE], [THERE] * 3, [LIVES_THERE] * 3])
def test_place_and_home_are_found_by_the_keyed_hashes_that_intake_makes(concerns: Sequence[Concern]) -> None:
    linking = Linking()
    found: Sequence[Linked] = ()
    for number, concern in enumerate(concerns):
        fact = linking.raised(concern, f"concern {number}", NOON - timedelta(days=30 - number))
        found = linking.hear(fact)[fact.header.referral_id]

    assert fired(life_with(found))[REPEAT].counted == 3


def test_a_third_concern_of_exploitation_at_a_place_is_red_for_an_adult_too() -> None:
    links = [there(1, 30, EXPLOITATION), there(2, 60, EXPLOITATION)]

    assert life_with(links[:1], EXPLOITATION).state.grade == GRADE_AMBER
    life = life_with(links, EXPLOITATION)
    assert life.state.grade == GRADE_RED
    assert fired(life)["exploitation_at_one_place"].counted == 3
    assert SERVICE_KIND_POLICE_SAFEGUARDING in life.state.services


def test_rules_that_count_other_events_say_how_many_too() -> None:
    life = life_with([], NUISANCE, Signs(complaints_in_six_months=4))

    assert fired(life)["asb_case_review_by_neighbours"].counted == 4


@pytest.mark.parametrize(
    ("after", "wrong"),
    [
        ("{ at_least = 3, within = 365 }", "unknown key 'within'"),
        ("{ at_least = 3 }", "the key 'within_days' is missing"),
        ("{ at_least = 1, within_days = 365 }", "2"),
        ("{ at_least = 21, within_days = 365 }", "20"),
        ("{ at_least = 3, within_days = 0 }", "1"),
        ('{ at_least = 3, within_days = 365, kinds = ["parking"] }', "'parking' is no such word"),
        ("{ at_least = 4, within_days = 365 }", "does not fire on its example_fires"),
        (
            '{ at_least = 3, within_days = 365, kinds = ["road_danger"] }\nwhen.without_kinds = ["road_danger"]',
            "counts only kinds that without_kinds excludes",
        ),
    ],
    ids=["unknown key", "no time", "one is none", "more than links", "no day", "no kind", "example", "contradiction"],
)
def test_a_wrong_condition_is_refused_with_its_line(tmp_path: Path, after: str, wrong: str) -> None:
    area = Path(shutil.copytree(AREA_FOLDER, tmp_path / "area"))
    path = area / "rules.toml"
    lines = path.read_text().splitlines()
    [begins] = [number for number, line in enumerate(lines) if line == f'id = "{REPEAT}"']
    place = next(n for n in range(begins, len(lines)) if lines[n].startswith("when.same_place = "))
    lines[place] = f"when.same_place = {after}"
    path.write_text("\n".join(lines))

    with pytest.raises(FileRefused) as caught:
        load_rules(area)

    assert caught.value.file == path
    assert wrong in caught.value.wrong
    assert caught.value.right
    assert begins < caught.value.line <= begins + 12
