"""When a process that reads nothing is ended, and when it must not be."""

from dataclasses import replace

import pytest

from services.chassis.watchdog import Look, Reading, quiet_since

PLACE = ("referrals.intake.v1", 0)
UNREAD = Reading(end=50, committed=10, handled=10, committable=10)


def look(at: float, reading: Reading = UNREAD, *, paused: bool = False) -> Look:
    return Look(at, paused, {PLACE: reading})


def quiet_after(*looks: Look) -> float | None:
    since, last = None, None
    for now in looks:
        since, last = quiet_since(since, last, now), now
    return since


def test_unread_records_and_no_progress_count_from_the_first_look() -> None:
    assert quiet_after(look(0), look(5), look(60)) == 0


def test_reading_on_begins_the_count_again() -> None:
    assert quiet_after(look(0), look(5), look(10, replace(UNREAD, handled=20))) == 10


def test_a_commit_begins_the_count_again() -> None:
    assert quiet_after(look(0), look(5, replace(UNREAD, committed=11, committable=12))) == 5


def test_offsets_that_could_be_committed_and_are_not_count() -> None:
    uncommitted = Reading(end=50, committed=10, handled=50, committable=50)

    assert quiet_after(look(0, uncommitted), look(60, uncommitted)) == 0


@pytest.mark.parametrize(
    "well",
    [
        Reading(end=50, committed=50, handled=50, committable=50),
        Reading(end=50, committed=10, handled=50, committable=10),  # all read, one record held for a gap
    ],
    ids=["idle", "held"],
)
def test_nothing_to_read_is_no_reason_to_end(well: Reading) -> None:
    assert quiet_after(look(0, well), look(60, well)) is None


def test_a_pause_is_no_reason_to_end_and_begins_the_count_again() -> None:
    assert quiet_after(look(0), look(59, paused=True)) is None
    assert quiet_after(look(0), look(59, paused=True), look(64)) == 64


def test_a_broker_that_is_away_is_no_reason_to_end_and_begins_the_count_again() -> None:
    away = Look(59, paused=False, readings=None)

    assert quiet_after(look(0), away) is None
    assert quiet_after(look(0), away, look(64)) == 64


def test_other_partitions_after_a_rebalance_begin_the_count_again() -> None:
    elsewhere = Look(5, paused=False, readings={("referrals.intake.v1", 1): UNREAD})

    assert quiet_after(look(0), elsewhere) == 5


def test_a_process_without_partitions_is_left_alone() -> None:
    assert quiet_after(Look(0, paused=False, readings={}), Look(60, paused=False, readings={})) is None
