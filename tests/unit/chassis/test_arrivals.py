"""Many calls are asked for at a time, how long each waits before it is read is told, and a server that stops ends."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from services.chassis import arrivals
from services.chassis.arrivals import AT_ONCE


class Gone:
    """What gRPC says of a call that will not come."""

    success = False


class Come:
    """A call that came, which is read when the test says so."""

    success = True

    def __init__(self) -> None:
        self.call = self
        self._read: Any = None

    def start_server_batch(self, _operations: Any, read: Any) -> None:
        self._read = read

    def read(self, raw: bytes) -> None:
        """Its request is there."""
        self._read(SimpleNamespace(batch_operations=[SimpleNamespace(message=lambda: raw)]))


class Asked:
    """GRPC's server, and what the door tells and is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.calls = 0
        self.waited: list[float] = []
        self.taken: list[bytes] = []
        monkeypatch.setattr(arrivals, "time", SimpleNamespace(monotonic=lambda: self.now))
        room = SimpleNamespace(waited=self.waited.append)
        guarded = SimpleNamespace(house=SimpleNamespace(room=room), method=SimpleNamespace(short="RaiseConcern"))
        handler = SimpleNamespace(unary_unary=guarded, response_serializer=None)
        self.state = SimpleNamespace(
            lock=threading.RLock(),
            completion_queue=None,
            server=self,
            due=set(),
            rpc_states=set(),
            stage=arrivals._grpc._ServerStage.STARTED,
        )
        self.door = arrivals._Door(
            self.state, "/x/RaiseConcern", handler, lambda _served, _guarded, raw: self.taken.append(raw)
        )
        self.door.open()

    def request_registered_call(self, *_: Any) -> None:
        self.calls += 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_many_calls_are_asked_for_and_another_for_each_that_comes(asked: Asked) -> None:
    assert asked.calls == AT_ONCE
    asked.door._come(Come())

    assert asked.calls == AT_ONCE + 1


def test_how_long_a_call_waits_before_it_is_read_is_told_before_it_is_taken(asked: Asked) -> None:
    first, second = Come(), Come()
    asked.door._come(first)
    asked.now += 0.25
    asked.door._come(second)
    asked.now += 0.5
    first.read(b"first")
    second.read(b"second")

    assert asked.waited == [0.75, 0.5]
    assert asked.taken == [b"first", b"second"]


def test_a_server_that_stops_waits_for_no_call_that_it_asked_for(asked: Asked) -> None:
    asked.state.stage = arrivals._grpc._ServerStage.GRACE
    ended = [asked.door._come(Gone()) for _ in range(AT_ONCE)]

    assert asked.state.due == set()
    assert ended[:-1] == [(None, ())] * (AT_ONCE - 1)
    assert ended[-1][0] in asked.state.rpc_states
    assert asked.calls == AT_ONCE
