"""Where gRPC's calls arrive. Each is looked at as soon as it was read, on the one thread that gRPC itself serves on.

gRPC's own way takes a thread for each call before anything of it is known, and ends calls without a word where there
is none. Here whoever is refused hears at once why and when to return, at no thread's cost; handlers that wait for
nothing are called in place, and their answers told in one waking for all of an engine's turn; only the others take a
thread. See docs/decisions/0012.

This reaches into grpcio's synchronous server (`grpc._server`), which has no door for it: its version is pinned, and
tests/unit/chassis/test_reception.py holds what is used of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any, Final, NamedTuple

from services.chassis import logs
from services.chassis.call_status import status_of
from services.chassis.calls import Call, Guarded
from services.chassis.engine.away import Busy
from services.chassis.later import Answering, Later

_grpc: Any = import_module("grpc._server")
_RECEIVE: Final = _grpc._RECEIVE_MESSAGE_TOKEN

THREADS: Final = 256
"""For handlers that wait: more than calls that are let in, but for those that cannot wait (admission.py)."""
MOST_HELD: Final = 64
"""Bulks at once, each of which holds a thread; and as many unguarded calls, such as those for health."""
RETURN_AFTER: Final = 1.0

log = logs.get(__name__)


class _Served(NamedTuple):
    """One call as gRPC knows it."""

    event: Any
    state: Any
    serializer: Any

    def answer(self, message: Any) -> None:
        """Send the answer; a caller who is gone is sent nothing."""
        raw = _grpc._serialize_response(self.event, self.state, message, self.serializer)
        if raw is not None:
            _grpc._status(self.event, self.state, raw)

    def refuse(self, status: Any) -> None:
        """Send a grpc.Status; None where the handler has said itself what to send."""
        with self.state.condition:
            if status is not None:
                self.state.trailing_metadata = status.trailing_metadata
                self.state.code = status.code
                self.state.details = status.details.encode()
            _grpc._abort(self.state, self.event.call, _grpc.cygrpc.StatusCode.unknown, b"")

    def taken(self) -> bytes | None:
        """The request's bytes; None where the caller is gone, or has sent none."""
        with self.state.condition:
            raw: bytes | None = self.state.request
            self.state.request = None
            if raw is None and self.state.client is _grpc._CLOSED:
                _grpc._abort(self.state, self.event.call, _grpc.cygrpc.StatusCode.unimplemented, b"send one request")
        return raw


class Reception:
    """Stands where grpc.server asks for its thread pool, of which it uses `submit` alone."""

    def __init__(self) -> None:
        self._waiting = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._streams = _Bounded("stream")
        self._others = _Bounded("other")
        self._answering = Answering()

    def submit(self, run: Any, work: Any, *arguments: Any) -> None:
        """Take a call whose handler was found, on gRPC's thread. Gives no future: gRPC counts nothing for us."""
        event, state, behaviour, _, _, serializer = arguments
        served = _Served(event, state, serializer)
        if isinstance(behaviour, Guarded) and not behaviour.streams:
            self._receive(served, behaviour)
            return
        bounded = self._streams if isinstance(behaviour, Guarded) else self._others
        if not bounded.taken(partial(run, work, *arguments)):
            served.refuse(status_of(Busy(RETURN_AFTER), "", RETURN_AFTER))

    def _receive(self, served: _Served, guarded: Guarded) -> None:
        """Ask for the request's bytes; gRPC has them soon, and calls us on its own thread."""
        event, state = served.event, served.state
        received = _grpc._receive_message(state, event.call, None)

        def come(message: Any) -> Any:
            ended = received(message)
            try:
                self._take(served, guarded)
            except Exception as error:  # gRPC's thread serves everybody else as well
                log.error("call_lost", method=guarded.method.short, error=type(error).__name__, exc_info=error)
            return ended

        event.call.start_server_batch((_grpc.cygrpc.ReceiveMessageOperation(0),), come)
        state.due.add(_RECEIVE)

    def _take(self, served: _Served, guarded: Guarded) -> None:
        raw = served.taken()
        if raw is None:
            return
        call = Call(guarded, _grpc._Context(served.event, served.state, None))
        try:
            call.enter(raw)
            if guarded.promptly:
                self._behave(served, call)
            else:
                self._waiting.submit(self._behave, served, call)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            served.refuse(call.failed(error))

    def _behave(self, served: _Served, call: Call) -> None:
        try:
            answer = call.behave()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            served.refuse(call.failed(error))
            return
        if isinstance(answer, Later):
            self._answering.tell(answer, call.to_answer, partial(_tell, served, call))
        else:
            _tell(served, call, answer, None)


class _Bounded:
    """Threads for calls that each hold one, and no queue before them."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(MOST_HELD, thread_name_prefix=name)
        self._free = threading.Semaphore(MOST_HELD)

    def taken(self, work: Callable[[], None]) -> bool:
        """Run the work on a thread; False where none is free."""
        if not self._free.acquire(blocking=False):
            return False
        self._pool.submit(work).add_done_callback(lambda _: self._free.release())
        return True


def _tell(served: _Served, call: Call, answer: Any, error: Exception | None) -> None:
    if error is not None:
        served.refuse(call.failed(error))
    else:
        call.answered()
        served.answer(answer)
