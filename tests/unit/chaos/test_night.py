"""The night runs every harness, one that fails keeps none from running, and any failure is the night's."""

from __future__ import annotations

from tests.chaos import night
from tests.chaos.night import Part


def test_every_part_runs_and_the_night_fails_where_one_did() -> None:
    ran: list[str] = []
    told: list[str] = []

    def run(part: Part) -> int:
        ran.append(part.name)
        return 143 if part.name == "fair" else 0

    status = night.run_all(night.parts(7), run, told.append)

    assert ran == ["storm", "fair", "log", "clocks", "three", "wired", "kills", "fuzz"]
    assert status == 1
    assert any(line.startswith("night: fair ended with status 143") for line in told)
    assert told[-1] == "night: 8 parts, 1 failed: fair"


def test_a_night_without_a_failure_ends_well() -> None:
    told: list[str] = []

    assert night.run_all(night.parts(7), lambda part: 0, told.append) == 0
    assert told[-1] == "night: 8 parts, all ended well"


def test_every_part_of_chaos_and_fuzz_has_the_seed_of_the_night() -> None:
    seeded = {part.name for part in night.parts(4711) if "4711" in part.command}

    assert seeded == {"storm", "clocks", "three", "wired", "kills", "fuzz"}
