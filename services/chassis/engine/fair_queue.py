"""The engine's one queue: each sender has its turn, so that nobody's flood delays another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import groupby, islice
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that waits: it knows its sender and its size."""

    @property
    def sender(self) -> str:
        """Whose turn it uses."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


T = TypeVar("T", bound=Sized)
_SENDER = attrgetter("sender")


class FairQueue(Generic[T]):
    """Items wait by sender; `take` goes round the senders, one item each, in their own order. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._round: deque[str] = deque()
        self._count = 0
        self._changed = threading.Condition()
        self._told: Callable[[], object] | None = None

    def __len__(self) -> int:
        return self._count

    def put(self, items: list[T]) -> None:
        """Add items in order; wakes the taker."""
        with self._changed:
            for sender, of_sender in groupby(items, _SENDER):
                lane = self._waiting.get(sender)
                if lane is None:
                    lane = self._waiting[sender] = deque()
                    self._round.append(sender)
                lane.extend(of_sender)
            self._count += len(items)
            self._changed.notify()
            if self._count:
                self._tell()

    def tell(self, told: Callable[[], object] | None) -> None:
        """Call `told` once, as soon as something waits; at once where something does. None takes it back."""
        with self._changed:
            self._told = told
            if self._count:
                self._tell()

    def wake(self) -> None:
        """Let a waiting `take` return, even with nothing. Who asked to be told is not told by this."""
        with self._changed:
            self._changed.notify_all()

    def take(self, most: int, most_bytes: int, timeout: float) -> list[T]:
        """Everything that waits, up to `most` items or `most_bytes`, at least one item however large.

        Waits up to `timeout` seconds for the first; empty where none came.
        """
        with self._changed:
            if not self._count:
                self._changed.wait(timeout)
            if len(self._round) == 1:
                return self._take_one_lane(most, most_bytes)
            return self._take_round(most, most_bytes)

    def _tell(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            told()

    def _take_one_lane(self, most: int, most_bytes: int) -> list[T]:
        """As `_take_round` would, without asking each time who is next."""
        sender = self._round[0]
        lane = self._waiting[sender]
        number = size = 0
        for item in islice(lane, most):
            size += item.size
            if number and size > most_bytes:
                break
            number += 1
        taken = [lane.popleft() for _ in range(number)]
        if not lane:
            self._round.clear()
            del self._waiting[sender]
        self._count -= len(taken)
        return taken

    def _take_round(self, most: int, most_bytes: int) -> list[T]:
        taken: list[T] = []
        size = 0
        while self._round and len(taken) < most:
            sender = self._round[0]
            lane = self._waiting[sender]
            if taken and size + lane[0].size > most_bytes:
                break
            item = lane.popleft()
            self._round.popleft()
            if lane:
                self._round.append(sender)
            else:
                del self._waiting[sender]
            taken.append(item)
            size += item.size
        self._count -= len(taken)
        return taken
