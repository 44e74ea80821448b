"""Where calls are received: each is looked at as soon as it was read, on the threads that gRPC itself serves on.

gRPC's own way takes a thread for each call before anything of it is known, and ends calls without a word where there
is none. Here whoever is refused hears at once why and when to return, at no thread's cost; handlers that wait for
nothing are called in place, and their answers told in one waking for all of an engine's turn; only the others take a
thread. See docs/decisions/0012; how calls come here is in arrivals.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any, Final

from services.chassis.arrivals import Served
from services.chassis.call_status import status_of
from services.chassis.calls import Call, Guarded
from services.chassis.engine.away import Busy
from services.chassis.later import Answering, Later

_grpc: Any = import_module("grpc._server")

THREADS: Final = 256
"""For handlers that wait: more than calls that are let in, but for those that cannot wait (admission.py)."""
MOST_HELD: Final = 64
"""Bulks at once, each of which holds a thread; and as many unguarded calls, such as those for health."""
RETURN_AFTER: Final = 1.0


class Reception:
    """Takes what arrivals.py has read; stands where gRPC asks for a thread pool, of which it uses `submit` alone."""

    def __init__(self) -> None:
        self._waiting = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._streams = _Bounded("stream")
        self._others = _Bounded("other")
        self._answering = Answering()

    def submit(self, run: Any, work: Any, *arguments: Any) -> None:
        """Take a bulk or an unguarded call, on one of gRPC's threads. Gives no future: gRPC counts nothing for us."""
        event, state, behaviour, *_ = arguments
        bounded = self._streams if isinstance(behaviour, Guarded) else self._others
        if not bounded.taken(partial(run, work, *arguments)):
            status = status_of(Busy(RETURN_AFTER), "", RETURN_AFTER)
            with state.condition:
                state.trailing_metadata = status.trailing_metadata
                _grpc._abort(state, event.call, _grpc._application_code(status.code), status.details.encode())

    def take(self, served: Served, guarded: Guarded, raw: bytes) -> None:
        """Take a unary call that was read, on one of gRPC's threads."""
        call = Call(guarded, served.context)
        try:
            call.enter(raw)
            if guarded.promptly:
                self._behave(served, call)
            else:
                self._waiting.submit(self._behave, served, call)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            served.refuse(call.failed(error))

    def _behave(self, served: Served, call: Call) -> None:
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


def _tell(served: Served, call: Call, answer: Any, error: Exception | None) -> None:
    if error is not None:
        served.refuse(call.failed(error))
    else:
        call.answered()
        served.answer(answer)
