"""When a process that reads nothing is ended, and when it must not be."""

import time
from dataclasses import replace

import pytest

from services.chassis import watchdog
from services.chassis.kafka_in.offsets import Progress
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.watchdog import Look, Reading, quiet_since
from tests.waiting import happens

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


def test_while_commits_are_confirmed_the_broker_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten turns the first five find a new commit; then there are none, and it looks."""
    monkeypatch.setattr(watchdog, "LOOK_EVERY_SECONDS", 0.001)
    looks: list[int] = []
    committing = Committing(turns=5)
    dog = watchdog.Watchdog(KafkaAccess("127.0.0.1:1", "nobody", "nothing", "SASL_PLAINTEXT"), "group", committing)

    def look() -> Look:
        looks.append(committing.asked)
        return Look(0, paused=True, readings={})

    monkeypatch.setattr(dog, "look", look)
    dog.start()
    happens("it looks", lambda: len(looks) > 2)
    dog.stop()

    assert looks[0] > 5


class Committing:
    """Confirms a commit before each of its first turns."""

    paused = False
    assigned: frozenset[tuple[str, int]] = frozenset()

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._last: float | None = None
        self.asked = 0

    @property
    def last_commit_time(self) -> float | None:
        """Now, while it commits."""
        self.asked += 1
        if self.asked <= self._turns:
            self._last = time.monotonic()
        return self._last

    def progress(self) -> dict[tuple[str, int], Progress]:
        """None."""
        return {}
