"""Nobody's flood delays another."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.engine.fair_queue import FairQueue


@dataclass
class Waiting:
    """Something that waits."""

    sender: str
    size: int = 1
    number: int = 0


def test_senders_take_turns_whatever_the_length_of_their_lanes() -> None:
    """One item each, round and round."""
    queue: FairQueue[Waiting] = FairQueue()
    queue.put([Waiting("flood", number=n) for n in range(100)])
    queue.put([Waiting("lone")])

    taken = queue.take(3, 1_000, 0)

    assert [item.sender for item in taken] == ["flood", "lone", "flood"]


def test_each_sender_keeps_its_own_order() -> None:
    """Fairness reorders senders, never one sender's items."""
    queue: FairQueue[Waiting] = FairQueue()
    queue.put([Waiting(sender, number=n) for n in range(5) for sender in "ab"])

    taken = queue.take(10, 1_000, 0)

    for sender in "ab":
        assert [item.number for item in taken if item.sender == sender] == list(range(5))


def test_a_batch_ends_at_its_bytes_and_an_item_larger_than_that_comes_alone() -> None:
    """Nothing waits for ever because it is large."""
    queue: FairQueue[Waiting] = FairQueue()
    queue.put([Waiting("a", 50), Waiting("a", 60), Waiting("a", 500)])

    assert [[item.size for item in queue.take(10, 100, 0)] for _ in range(4)] == [[50], [60], [500], []]


def test_whoever_asks_to_be_told_is_told_once_when_something_comes() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    told: list[str] = []
    queue.tell(lambda: told.append("told"))
    assert told == []

    queue.put([Waiting("a")])
    queue.put([Waiting("a")])
    assert told == ["told"]


def test_whoever_asks_to_be_told_while_something_waits_is_told_at_once() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    queue.put([Waiting("a")])
    told: list[str] = []

    queue.tell(lambda: told.append("told"))

    assert told == ["told"]


def test_whoever_takes_back_is_told_nothing() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    told: list[str] = []
    queue.tell(lambda: told.append("told"))
    queue.tell(None)

    queue.put([Waiting("a")])

    assert told == []


def test_nothing_put_tells_nobody() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    told: list[str] = []
    queue.tell(lambda: told.append("told"))

    queue.put([])

    assert told == []
