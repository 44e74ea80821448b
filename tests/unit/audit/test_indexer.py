"""The indexer: a little behind the log, in order, and nothing that it meets is kept to itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from services.audit.entries import entry_of_leaf
from services.audit.index import Index, Placed
from services.audit.indexer import MOST_WAITING, Indexer
from services.audit.log.leaf import Leaf
from services.audit.patience import Patience, Stopping
from services.chassis.engine.away import Away

WAIT = 60.0


class Saving(Index):
    """An index whose saves wait for the test, and fail as it says."""

    def __init__(self, *failures: BaseException) -> None:
        self.sizes: list[int] = []
        self.placed: list[Placed] = []
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self._failures = list(failures)

    def save(self, placed: Sequence[Placed], covered: int) -> None:
        self.begun.release()
        assert self.may_end.acquire(timeout=WAIT)
        if self._failures:
            raise self._failures.pop(0)
        self.sizes.append(covered)
        self.placed += placed


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


def patience(stopping: threading.Event, heard: list[tuple[str, bool]] | None = None) -> Patience:
    return Patience(lambda what, ready: (heard if heard is not None else []).append((what, ready)), stopping)


def entries(first: int, until: int) -> list[Placed]:
    return [(place, entry_of_leaf(Leaf("t", "i", 0, place, 0, bytes(32)))) for place in range(first, until)]


def test_the_log_goes_on_while_some_are_saved_and_what_came_meanwhile_is_saved_together(
    stopping: threading.Event,
) -> None:
    index = Saving()
    with Indexer(index, patience(stopping)) as indexer:
        indexer.save([], 1)
        assert index.begun.acquire(timeout=WAIT), "it began, and nobody waited for its end"
        for size in (2, 3, 4):
            indexer.save([], size)
        index.may_end.release(2)
    assert index.sizes == [1, 4]


def test_whoever_brings_more_than_may_wait_waits(stopping: threading.Event) -> None:
    index, most = Saving(), entries(0, MOST_WAITING)
    with Indexer(index, patience(stopping)) as indexer:
        indexer.save([], 1)
        assert index.begun.acquire(timeout=WAIT)
        indexer.save(most, 1 + MOST_WAITING)
        more = threading.Thread(target=indexer.save, args=([], 2 + MOST_WAITING))
        more.start()
        more.join(0.1)
        assert more.is_alive(), "as many wait as may"
        index.may_end.release(3)
        more.join(WAIT)
    assert index.sizes[0] == 1
    assert index.sizes[-1] == 2 + MOST_WAITING
    assert index.placed == most, "each once, and in order"


def test_what_waits_is_saved_at_the_end(stopping: threading.Event) -> None:
    index = Saving()
    index.may_end.release(2)
    with Indexer(index, patience(stopping)) as indexer:
        indexer.save([], 1)
        indexer.save([], 2)
    assert index.sizes[-1] == 2


def test_a_store_that_is_away_is_waited_for_and_told(stopping: threading.Event) -> None:
    index, heard = Saving(Away("store", "AutoReconnect")), list[tuple[str, bool]]()
    index.may_end.release(2)
    with Indexer(index, patience(stopping, heard)) as indexer:
        indexer.save([], 1)
    assert index.sizes == [1]
    assert heard == [("store", False), ("store", True)]


def test_it_stops_where_the_store_stays_away(stopping: threading.Event) -> None:
    index = Saving(*[Away("store", "AutoReconnect")] * 9)
    index.may_end.release(9)
    stopping.set()
    with pytest.raises(Stopping), Indexer(index, patience(stopping)) as indexer:
        indexer.save([], 1)


@pytest.mark.parametrize("next_step", ["save", "look", "end"])
def test_what_nobody_can_mend_reaches_whoever_comes_next(stopping: threading.Event, next_step: str) -> None:
    index = Saving(KeyError("a bug"))
    index.may_end.release()

    def go_on(indexer: Indexer) -> Any:
        indexer.save([], 1)
        if next_step == "save":
            indexer.save([], 2)
        elif next_step == "look":
            while True:
                indexer.look()

    with pytest.raises(KeyError, match="a bug"), Indexer(index, patience(stopping)) as indexer:
        go_on(indexer)
    assert index.sizes == []
