"""Each council has its own terms, and a clock of school days counts by those of the right council."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, SERVICE_KIND_SCHOOL
from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas
from services.chassis.clocks import LONDON, load_clocks
from services.chassis.directory import Partner
from services.partner_routing.area import load_stated, snapshot
from services.partner_routing.domain import RoutingDecider
from tests.unit.domains import DESK, Life, raised
from tests.unit.partner_routing.life import request, routed

AREA = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
HALF_TERM = 'name = "autumn half-term 2026"\nfirst = 2026-10-26\nlast = 2026-10-30'
A_WEEK_EARLIER = 'name = "autumn half-term 2026"\nfirst = 2026-10-19\nlast = 2026-10-23'
FRIDAY = datetime(2026, 10, 16, 15, tzinfo=UTC)
"""Before Somerset's half-term, as the test moves it, and not before Bristol's."""
WITHIN = datetime(2026, 10, 19, 8, 30, tzinfo=LONDON)
AFTER = datetime(2026, 10, 26, 8, 30, tzinfo=LONDON)
BEFORE_SCHOOL = "respond_before_school"


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """A copy of the area in which Somerset's half-term is a week before everybody else's."""
    copied = Path(shutil.copytree(AREA, tmp_path / "area"))
    change(copied, "somerset", HALF_TERM, A_WEEK_EARLIER)
    return copied


def change(area: Path, council: str, before: str, after: str) -> Path:
    path = area / "school_terms" / f"{council}.toml"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    return path


def test_every_council_of_the_area_has_terms_of_its_own() -> None:
    assert set(load_clocks(AREA).calendars) == load_areas(AREA).codes
    assert len(load_areas(AREA).codes) == 5


def test_two_councils_with_different_half_terms_have_different_next_school_days(area: Path) -> None:
    clocks = load_clocks(area)

    assert clocks.deadline(BEFORE_SCHOOL, FRIDAY, "bristol") == WITHIN
    assert clocks.deadline(BEFORE_SCHOOL, FRIDAY, "somerset") == AFTER


def test_bristols_easter_is_not_its_neighbours() -> None:
    clocks = load_clocks(AREA)
    easter = datetime(2026, 4, 6, 12, tzinfo=UTC)

    assert clocks.deadline(BEFORE_SCHOOL, easter, "bristol") == datetime(2026, 4, 20, 8, 30, tzinfo=LONDON)
    assert clocks.deadline(BEFORE_SCHOOL, easter, "north-somerset") == datetime(2026, 4, 13, 8, 30, tzinfo=LONDON)


def test_for_a_council_that_is_unknown_a_deadline_is_early_and_never_late(area: Path) -> None:
    assert load_clocks(area).deadline(BEFORE_SCHOOL, FRIDAY, "avon") == WITHIN


def test_a_deadline_by_terms_that_nobody_compared_says_so_and_one_by_the_hour_does_not() -> None:
    clocks = load_clocks(AREA)

    assert clocks.rules[BEFORE_SCHOOL].confirmed
    assert "school days: a school's page" in clocks.until(BEFORE_SCHOOL, FRIDAY, "bristol").unconfirmed_reason
    assert "option A" not in clocks.until(BEFORE_SCHOOL, FRIDAY, "somerset").unconfirmed_reason
    assert clocks.until("respond_child_referral", FRIDAY, "bristol").unconfirmed_reason == ""


@pytest.mark.parametrize(
    ("concern", "own", "opens"),
    [("bristol", "", WITHIN), ("somerset", "", AFTER), ("bristol", "somerset", AFTER), ("somerset", "bristol", WITHIN)],
    ids=["Bristol's", "Somerset's", "a school of Somerset's in Bristol", "a school of Bristol's in Somerset"],
)
def test_the_school_hears_before_its_own_next_day(area: Path, concern: str, own: str, opens: datetime) -> None:
    school = Partner(
        "meadowbank-school", "M", "school", ("school",), ("bristol", "somerset"), b"", True, False, council=own
    )
    rules = snapshot((school,), load_stated(area))
    life = Life(RoutingDecider(), rules)
    life.now = FRIDAY
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], area=concern))
    asked = request(service=SERVICE_KIND_SCHOOL)
    asked.purpose, asked.respond_clock = "school_support", BEFORE_SCHOOL

    [fact] = life.hear("triage", routed(asked), DESK)

    assert fact.offered.respond_by.at.ToDatetime(UTC) == opens


WRONG = [
    (HALF_TERM, HALF_TERM.replace("2026-10-30", "2026-10-20"), "it ends before it begins"),
    (HALF_TERM, HALF_TERM.replace("first = 2026-10-26", "first = 2026-05-27"), "begins before summer half-term 2026"),
    (HALF_TERM, HALF_TERM.replace("10-26", "08-10").replace("10-30", "08-14"), "lies within no term"),
    ("first = 2026-09-03", "first = 2026-07-01", "autumn 2026 begins before summer 2026 has ended"),
    ('name = "autumn 2026"\n', "", "the key 'name' is missing"),
    ('words = "Bristol', 'word = "Bristol', "unknown key 'word'"),
    ("confirmed = false", "confirmed = true", "and yet there is an unconfirmed_reason"),
]


@pytest.mark.parametrize(("before", "after", "wrong"), WRONG, ids=[row[2] for row in WRONG])
def test_terms_that_contradict_themselves_are_refused(tmp_path: Path, before: str, after: str, wrong: str) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    path = change(area, "bristol", before, after)

    with pytest.raises(FileRefused) as refused:
        load_clocks(area)

    assert (refused.value.file, wrong in refused.value.wrong) == (path, True), refused.value.wrong
    assert refused.value.line > 1
    assert refused.value.right


def test_a_council_without_terms_and_terms_without_a_council_are_refused(tmp_path: Path) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    terms = area / "school_terms" / "bristol.toml"
    text = terms.read_text()
    (area / "school_terms" / "avon.toml").write_text(text)
    with pytest.raises(FileRefused, match="there is no area avon"):
        load_clocks(area)

    (area / "school_terms" / "avon.toml").unlink()
    terms.unlink()
    with pytest.raises(FileRefused, match=r"bristol\.toml:0: the file is missing"):
        load_clocks(area)

    terms.write_text(text)
    (area / "school_terms.toml").write_text(text)
    with pytest.raises(FileRefused, match="one file for all councils") as refused:
        load_clocks(area)
    assert "school_terms/<council>.toml" in refused.value.right


def test_a_partner_of_no_council_is_refused(tmp_path: Path) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    path = area / "partners.toml"
    path.write_text(path.read_text().replace('serves = ["school"]', 'serves = ["school"]\ncouncil = "avon"'))

    with pytest.raises(FileRefused, match="there is no council avon"):
        load_areas(area)
