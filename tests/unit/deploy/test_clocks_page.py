"""The page of the clocks names every clock of the area, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from services.chassis.clocks import load_clocks
from services.chassis.language import STAGES
from services.partner_routing.domain.procedures import ACTION_CLOCK

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "clocks.md").read_text()
CLOCKS = load_clocks(ROOT / "deploy" / "areas" / "avon-and-somerset").rules
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count(" | ") == 4]


def test_every_clock_is_on_the_page_and_every_clock_on_the_page_is_stated() -> None:
    named = {name for row in ROWS for name in re.findall(r"`([a-z0-9_]+)`", row.split(" | ")[2])}

    assert named - {"clock"} == set(CLOCKS) | {ACTION_CLOCK}


def test_each_stage_clock_stands_beside_the_stages_with_which_it_begins() -> None:
    for row in ROWS:
        _, begins, clocks, _, _ = row.split(" | ")
        for name in re.findall(r"`(stage_[a-z0-9_]+)`", clocks):
            stages = {STAGES.word(stage) for stage in CLOCKS[name].after}
            assert stages <= set(re.findall(r"`([a-z0-9_]+)`", begins)), name


def test_what_general_knowledge_alone_says_is_not_confirmed() -> None:
    stages = [rule for name, rule in CLOCKS.items() if name.startswith("stage_")]

    assert stages
    assert not any(rule.confirmed for rule in stages)
    assert all(rule.unconfirmed_reason for rule in stages)


def test_the_page_says_of_each_clock_whether_a_practitioner_has_confirmed_it_and_why_not() -> None:
    rows = {row: [n for n in re.findall(r"`([a-z0-9_]+)`", row.split(" | ")[2]) if n in CLOCKS] for row in ROWS}

    for row, names in rows.items():
        said = row.rsplit(" | ", 1)[1]
        reasons = {CLOCKS[name].unconfirmed_reason for name in names if not CLOCKS[name].confirmed}
        assert said.startswith("no: ") == bool(reasons), row
        assert all(reason in said for reason in reasons), row
