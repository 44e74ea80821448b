"""No service starts on a wrong file of its area, and one that runs keeps the old: each file with each kind of fault."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.chassis.live_files import LiveFiles
from services.chassis.metrics import Metrics
from services.chassis.starting import area_files
from services.intake.area import WELL_KNOWN
from services.intake.area import load_area as load_intake
from services.partner_routing.area import load_stated as load_routing
from services.triage.area import load_area as load_triage

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
FAULTS = ("unknown key", "missing source", "contradiction", "overlap", "expired")
LISTED = f'[[person]]\nkeys = ["{"0f" * 16}"]\nsource = "a list"\n'
AGREEMENT, TERMS = "agreements/farm-watch.toml", "school_terms/bristol.toml"


@dataclass(frozen=True)
class Fault:
    """One change of one file, and what is said of it."""

    before: str
    after: str
    says: str


@dataclass(frozen=True)
class File:
    """A file of an area, the service that reads it, and a fault of each kind, or why it can have none."""

    service: str
    load: Callable[[Path], Any]
    faults: Mapping[str, Fault | str]


FILES: Mapping[str, File] = {
    "rules.toml": File(
        "triage",
        load_triage,
        {
            "unknown key": Fault("floor = true", "flour = true", "unknown key 'flour'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault(
                "dash_score = 14 }", "dash_score = 13 }", "dash_14 does not fire on its example_fires"
            ),
            "overlap": Fault('id = "weapon"', 'id = "immediate_danger"', "the id immediate_danger is used twice"),
            "expired": "a rule has no date",
        },
    ),
    "clocks.toml": File(
        "triage",
        load_triage,
        {
            "unknown key": Fault('unit = "hours"', 'unit = "hours"\nmoon = 1', "unknown key 'moon'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault("confirmed = true", "confirmed = false", "without an unconfirmed_reason"),
            "overlap": Fault('name = "decide_amber"', 'name = "decide_red"', "decide_red is stated twice"),
            "expired": "a clock has no date",
        },
    ),
    "grounds.toml": File(
        "partner-routing",
        load_routing,
        {
            "unknown key": Fault('code = "life', 'cod = "life', "unknown key 'cod'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault('bases = ["public_task"]', 'bases = ["consent"]', "stops without it"),
            "overlap": Fault('code = "life_at_risk"', 'code = "cannot_be_given"', "cannot_be_given is stated twice"),
            "expired": "a ground has no date",
        },
    ),
    "rights.toml": File(
        "partner-routing",
        load_routing,
        {
            "unknown key": Fault('code = "complain"', 'cod = "complain"', "unknown key 'cod'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault('clock = "victim_referral"\n', "", "it begins no clock"),
            "overlap": Fault('tells_of = ["court"]', 'tells_of = ["arrest"]', "arrest is told under another right"),
            "expired": "a right has no date",
        },
    ),
    "partners.toml": File(
        "intake",
        load_intake,
        {
            "unknown key": Fault("lead = true", "leads = true", "unknown key 'leads'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault("lead = true", "lead = false", "bristol has no lead agency"),
            "overlap": Fault('areas = ["bristol"]', 'areas = ["bristol", "bristol"]', "bristol is stated twice"),
            "expired": "paused_until is in the directory, and over it means that the partner takes legs on again",
        },
    ),
    WELL_KNOWN: File(
        "intake",
        load_intake,
        {
            "unknown key": Fault("keys", "key", "unknown key 'key'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault("0f0f", "nobody", "'keys'"),
            "overlap": Fault(LISTED, LISTED * 2, "this key is stated twice"),
            "expired": "a key has no date",
        },
    ),
    TERMS: File(
        "triage",
        load_triage,
        {
            "unknown key": Fault("opens = ", "open = ", "unknown key 'open'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault("last = 2025-12-19", "last = 2024-12-19", "it ends before it begins"),
            "overlap": Fault("first = 2026-01-05", "first = 2025-12-05", "begins before autumn 2025 has ended"),
            "expired": Fault('[[term]]\nname = "autumn 2026"', "", "the last term ended on 2026-07-22"),
        },
    ),
    AGREEMENT: File(
        "partner-routing",
        load_routing,
        {
            "unknown key": Fault("version = 1", "version = 1\nnumber = 1", "unknown key 'number'"),
            "missing source": Fault('source = "', '# source = "', "the key 'source' is missing"),
            "contradiction": Fault("expires_on = 2036-03-31", "expires_on = 2026-03-31", "before it was signed"),
            "overlap": Fault(
                '"police-and-farm-watch"', '"police-and-adults-care"', "has the id police-and-adults-care too"
            ),
            "expired": Fault("expires_on = 2036-03-31", "expires_on = 2026-04-30", "it expired on"),
        },
    ),
}
"""Every file that an area may have, one of each folder."""
CASES = [
    (name, fault, case)
    for name, file in FILES.items()
    for fault, case in file.faults.items()
    if isinstance(case, Fault)
]
IDS = [f"{name}: {fault}" for name, fault, _ in CASES]


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """A copy of the area, with a list of well-known persons."""
    copied = Path(shutil.copytree(AREA, tmp_path / "area"))
    (copied / WELL_KNOWN).write_text(LISTED)
    return copied


def broken(area: Path, name: str, fault: Fault) -> int:
    """Break the file; the line on which it is wrong. What is taken away of terms takes the later ones with it."""
    path = area / name
    text = path.read_text()
    assert fault.before in text
    at = text.index(fault.before)
    if fault.says.startswith("the last term"):
        closed = text[text.index("[[closed]]") : text.index('[[closed]]\nname = "autumn half-term 2026"')]
        path.write_text(text[:at] + closed)
    else:
        path.write_text(text.replace(fault.before, fault.after, 1))
    return text[:at].count("\n") + 1


def test_every_file_of_an_area_is_tried_with_every_kind_of_fault() -> None:
    kept = {str(path.relative_to(AREA)) for path in AREA.rglob("*.toml")}
    alike = {AGREEMENT: AREA / "agreements", TERMS: AREA / "school_terms"}
    tried = {str(each.relative_to(AREA)) for folder in alike.values() for each in folder.glob("*.toml")} | set(FILES)

    assert kept <= tried, "a new file of an area belongs into FILES"
    assert all(tuple(file.faults) == FAULTS for file in FILES.values())


@pytest.mark.parametrize(("name", "fault", "case"), CASES, ids=IDS)
def test_no_service_starts_on_it_and_it_prints_file_line_what_is_wrong_and_an_example_that_is_right(
    area: Path, name: str, fault: str, case: Fault
) -> None:
    line = broken(area, name, case)

    with pytest.raises(SystemExit) as ended:
        area_files(FILES[name].service, area, FILES[name].load)

    told = str(ended.value)
    where = "adults-care.toml" if "has the id" in case.says else name
    assert told.startswith(f"{FILES[name].service} cannot start:\n{area}/"), told
    assert f"{name}:" in told or where in told, told
    assert case.says in told
    found = int(told.split(".toml:")[1].split(":")[0])
    assert found >= 1
    assert abs(found - line) <= 40, "the line is that of the place, or of the table that holds it"
    assert told.split("right would be: ")[1].strip()


@pytest.mark.parametrize(("name", "fault", "case"), CASES, ids=IDS)
def test_a_running_service_keeps_its_old_files_and_says_so(area: Path, name: str, fault: str, case: Fault) -> None:
    metrics = Metrics(CollectorRegistry())
    files = LiveFiles(area, FILES[name].load, metrics)
    old = files.now()
    broken(area, name, case)

    with structlog.testing.capture_logs() as told:
        files.look()

    assert files.now() is old
    assert metrics.registry.get_sample_value("referrals_area_files_refused") == 1
    [said] = told
    assert said["event"] == "area_files_refused"
    assert said["right"]
    assert said["in_force"] == "the files as they were before"
