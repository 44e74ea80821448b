"""A service starts on no wrong file; one that runs keeps the old files, says so, and takes the next good ones."""

from __future__ import annotations

import shutil
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.chassis import live_files
from services.chassis.areafile import FileRefused
from services.chassis.clocks import load_clocks
from services.chassis.directory import BrokenEntry, Directory
from services.chassis.live_files import LiveFiles
from services.chassis.metrics import Metrics
from services.partner_routing.agreements import load_agreements
from services.partner_routing.area import Area, load_stated
from services.triage.area import load_area

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
TODAY = date(2026, 11, 23)


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """A copy of the area's files."""
    return Path(shutil.copytree(AREA, tmp_path / "area"))


def change(area: Path, name: str, before: str, after: str) -> int:
    """Change one place of a file; the line on which it stands."""
    path = area / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


def test_the_same_conditions_twice_and_consent_that_nobody_asked_for_are_contradictions(area: Path) -> None:
    rules = area / "rules.toml"
    text = rules.read_text()
    first = text.index("[[rule]]")
    second = text.index("[[rule]]", first + 1)
    again = text[first:second].replace('id = "', 'id = "again_', 1)
    rules.write_text(text + "\n" + again)
    with pytest.raises(FileRefused, match="has the same conditions as"):
        load_area(area)

    rules.write_text(text.replace('basis = "safeguarding"', 'basis = "consent"', 1))
    with pytest.raises(FileRefused, match="rests on consent, and fires without it"):
        load_area(area)


def test_a_rule_for_an_area_that_there_is_not_is_refused(area: Path) -> None:
    """It would never fire, and its own examples would not show it."""
    rules = area / "rules.toml"
    text = rules.read_text()
    rules.write_text(text.replace('"somerset"', '"zomerzet"'))

    with pytest.raises(FileRefused, match="there is no area zomerzet") as refused:
        load_area(area)
    assert "somerset" in refused.value.right
    assert refused.value.line > 1


def test_a_calendar_that_is_over_is_refused_and_one_that_ends_today_is_not(area: Path) -> None:
    last = load_clocks(area).calendars["bristol"].school_days_until

    assert load_clocks(area, last).calendars["bristol"].school_days_until == last
    with pytest.raises(FileRefused, match="the last term ended on") as refused:
        load_clocks(area, date(last.year + 1, 1, 1))
    assert "[[term]]" in refused.value.right
    assert refused.value.line > 1


def test_closures_within_one_another_are_refused(area: Path) -> None:
    path = area / "school_terms" / "bristol.toml"
    path.write_text(path.read_text() + '\n[[closed]]\nname = "again"\nfirst = 2025-10-27\nlast = 2025-10-31\n')

    with pytest.raises(FileRefused, match="begins before"):
        load_clocks(area)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def gauge(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("referrals_area_files_refused")


def test_a_running_service_keeps_its_old_files_when_a_reload_is_bad_and_says_so_once(
    area: Path, metrics: Metrics
) -> None:
    files = LiveFiles(area, lambda folder: load_agreements(folder, TODAY), metrics)
    old = files.now()
    line = change(area, "agreements/farm-watch.toml", "version = 1", "version = true")

    with structlog.testing.capture_logs() as told:
        files.look()
        files.look()

    assert files.now() is old
    assert gauge(metrics) == 1
    [said] = told
    assert (said["event"], said["log_level"], said["line"]) == ("area_files_refused", "error", line)
    assert said["file"] == "agreements/farm-watch.toml"
    assert said["wrong"]
    assert said["right"]
    assert said["in_force"] == "the files as they were before"


def test_what_is_right_again_is_taken_and_what_did_not_change_is_not_read(area: Path, metrics: Metrics) -> None:
    read = 0

    def load(folder: Path) -> Any:
        nonlocal read
        read += 1
        return load_agreements(folder, TODAY)

    files = LiveFiles(area, load, metrics)
    change(area, "agreements/farm-watch.toml", "version = 1", "version = true")
    files.look()
    change(area, "agreements/farm-watch.toml", "version = true", "version = 2")
    with structlog.testing.capture_logs() as told:
        files.look()
    files.look()

    assert files.now()["farm-watch"].version == 2
    assert gauge(metrics) == 0
    assert [said["event"] for said in told] == ["area_files_taken"]
    assert read == 3


def test_a_change_is_seen_without_anybody_asking(area: Path, metrics: Metrics) -> None:
    read_again = threading.Event()

    def load(folder: Path) -> int:
        version = load_agreements(folder, TODAY)["farm-watch"].version
        if version == 2:
            read_again.set()
        return version

    files = LiveFiles(area, load, metrics)
    files.watch(every=0.01)
    try:
        change(area, "agreements/farm-watch.toml", "version = 1", "version = 2")
        assert read_again.wait(60)
    finally:
        files.end()


def test_routing_decides_by_new_files_from_its_next_turn(area: Path, metrics: Metrics, tmp_path: Path) -> None:
    files = LiveFiles(area, load_stated, metrics)
    routing = Area(files.now, Directory(tmp_path / "directory"))
    assert routing.snapshot() is routing.snapshot()
    change(area, "agreements/farm-watch.toml", "version = 1", "version = 2")
    files.look()

    assert routing.snapshot().agreements["farm-watch"].version == 2


def test_routing_does_not_start_on_a_wrong_partner_and_keeps_the_last_good_ones_while_it_runs(
    area: Path, metrics: Metrics, tmp_path: Path
) -> None:
    folder = tmp_path / "directory"
    entry = folder / "partner" / "riverside.toml"
    entry.parent.mkdir(parents=True)
    right = f'name = "R"\nkind = "k"\nserves = ["housing"]\nareas = ["bristol"]\npublic_key = "{"0f" * 32}"\n'
    entry.write_text(right + "colour = 1\n")
    files = LiveFiles(area, load_stated, metrics)
    with pytest.raises(BrokenEntry, match=r"partner/riverside\.toml:6: unknown key 'colour'"):
        Area(files.now, Directory(folder))

    entry.write_text(right)
    routing = Area(files.now, Directory(folder))
    entry.write_text("what?")
    with structlog.testing.capture_logs() as told:
        assert [partner.id for partner in routing.snapshot().partners] == ["riverside"]
        routing.snapshot()
    assert [said["event"] for said in told] == ["directory_entry_broken"]


@pytest.mark.parametrize(("key", "line"), [('areas = ["bristol", "zomerset"]', 4), ('council = "zomerset"', 6)])
def test_a_partner_of_an_area_that_there_is_not_is_refused_as_it_would_never_be_asked(
    area: Path, metrics: Metrics, tmp_path: Path, key: str, line: int
) -> None:
    entry = tmp_path / "directory" / "partner" / "riverside.toml"
    entry.parent.mkdir(parents=True)
    right = f'name = "R"\nkind = "k"\nserves = ["housing"]\nareas = ["bristol"]\npublic_key = "{"0f" * 32}"\n'
    wrong = right.replace('areas = ["bristol"]', key) if line == 4 else right + key
    files = LiveFiles(area, load_stated, metrics)
    entry.write_text(wrong)
    with pytest.raises(BrokenEntry, match=rf"riverside\.toml:{line}: there is no area zomerset; .* somerset"):
        Area(files.now, Directory(tmp_path / "directory"))

    entry.write_text(right)
    routing = Area(files.now, Directory(tmp_path / "directory"))
    entry.write_text(wrong)
    with structlog.testing.capture_logs() as told:
        assert routing.snapshot().partners[0].areas == ("bristol",)
    assert [said["event"] for said in told] == ["directory_entry_broken"]


def test_today_is_the_day_in_england() -> None:
    assert live_files.today().tzinfo is not None
