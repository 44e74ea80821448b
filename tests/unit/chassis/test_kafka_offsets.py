"""The rule of commits: never past the lowest record that is not done."""

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kafka_in.offsets import Offsets, Progress

PLACE = ("referrals.intake.v1", 3)
OTHER = ("referrals.intake.v1", 4)


def fetched(*offsets: int) -> Offsets:
    known = Offsets()
    known.fetched(PLACE, offsets)
    return known


def test_nothing_is_committed_before_anything_is_done() -> None:
    assert fetched(10, 11, 12).committable() == {}


def test_what_is_done_in_order_is_committed_up_to_the_next_offset() -> None:
    known = fetched(10, 11, 12)
    known.done(PLACE, [10])
    known.done(PLACE, [11])

    assert known.committable() == {PLACE: 12}


def test_a_commit_never_passes_a_record_in_flight() -> None:
    known = fetched(2585, 2586, 2587, 2588, 2589)
    for offset in (2586, 2587, 2588, 2589):
        known.done(PLACE, [offset])

    assert known.committable() == {}

    known.done(PLACE, [2585])
    assert known.committable() == {PLACE: 2590}


def test_offsets_that_the_broker_no_longer_has_are_not_waited_for() -> None:
    known = fetched(10, 14, 15, 90)
    for offset in (10, 14, 15):
        known.done(PLACE, [offset])

    assert known.committable() == {PLACE: 90}

    known.done(PLACE, [90])
    assert known.committable() == {PLACE: 91}


def test_what_was_committed_is_not_committed_again() -> None:
    known = fetched(10)
    known.done(PLACE, [10])
    known.committed({PLACE: 11})

    assert known.committable() == {}


def test_a_held_record_stops_the_commit_until_it_is_released() -> None:
    known = fetched(10, 11, 12)
    known.hold(PLACE, 10)
    known.done(PLACE, [11])
    known.done(PLACE, [12])

    assert known.committable() == {}
    assert known.progress() == {PLACE: Progress(committable=10, handled=13)}

    known.done(PLACE, [10])
    assert known.committable() == {PLACE: 13}


def test_a_record_released_before_it_is_reported_held_stays_done() -> None:
    known = fetched(10)
    known.done(PLACE, [10])
    known.hold(PLACE, 10)

    assert known.committable() == {PLACE: 11}


def test_a_late_answer_for_a_revoked_partition_commits_nothing() -> None:
    known = fetched(10)
    known.forget([PLACE])
    known.done(PLACE, [10])

    assert known.committable() == {}
    assert known.progress() == {}


def test_forgetting_everything_forgets_each_partition() -> None:
    known = fetched(10)
    known.fetched(OTHER, [5])
    known.forget()
    known.done(OTHER, [5])

    assert known.unfinished() == 0
    assert known.committable() == {}


def test_reading_again_from_further_back_commits_only_what_is_done_again() -> None:
    known = fetched(10, 11, 12)
    for offset in (10, 11, 12):
        known.done(PLACE, [offset])
    known.fetched(PLACE, [10, 11])

    assert known.committable() == {}

    known.done(PLACE, [10])
    assert known.committable() == {PLACE: 11}


def test_each_partition_is_committed_for_itself() -> None:
    known = fetched(10)
    known.fetched(OTHER, [5])
    known.done(OTHER, [5])

    assert known.committable() == {OTHER: 6}


@given(data=st.data(), gaps=st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_whatever_the_order_of_answers_a_commit_leaves_nothing_unfinished_behind(
    data: st.DataObject, gaps: list[int]
) -> None:
    offsets = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    known = fetched(*offsets)
    remaining = set(offsets)

    for offset in data.draw(st.permutations(offsets)):
        known.done(PLACE, [offset])
        remaining.discard(offset)
        for committed in known.committable().values():
            assert not remaining or committed <= min(remaining)
        known.committed(known.committable())

    assert known.progress() == {PLACE: Progress(offsets[-1] + 1, offsets[-1] + 1)}
