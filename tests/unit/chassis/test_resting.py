"""Reading rests while something is away, however late it was made, and goes on when all is back."""

from __future__ import annotations

from services.chassis.resting import Resting


class Tape:
    """Reads, or rests; remembers each change."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def pause(self) -> None:
        self.changes.append("pause")

    def resume(self) -> None:
        self.changes.append("resume")


def test_reading_rests_while_keys_are_away_so_that_the_watchdog_does_not_end_a_process_that_waits() -> None:
    resting, tape = Resting(), Tape()
    resting.add(tape)

    resting.tell("keys", ready=False)
    assert tape.changes == ["pause"]

    resting.tell("keys", ready=True)
    assert tape.changes == ["pause", "resume"]


def test_reading_that_is_made_while_the_store_is_away_rests_from_its_start() -> None:
    resting, tape = Resting(), Tape()
    resting.tell("store", ready=False)

    resting.add(tape)
    resting.tell("store", ready=True)

    assert tape.changes == ["pause", "resume"]


def test_reading_goes_on_only_when_nothing_is_away_any_more() -> None:
    resting, tape = Resting(), Tape()
    resting.add(tape)
    resting.tell("store", ready=False)
    resting.tell("broker", ready=False)

    resting.tell("store", ready=True)
    assert tape.changes == ["pause"]

    resting.tell("broker", ready=True)
    assert tape.changes == ["pause", "resume"]


def test_what_is_said_twice_changes_nothing() -> None:
    resting, tape = Resting(), Tape()
    resting.add(tape)

    resting.tell("broker", ready=True)
    resting.tell("broker", ready=False)
    resting.tell("broker", ready=False)

    assert tape.changes == ["pause"]
