"""Unary calls as gRPC hands them over: many are asked for at a time, so that it is seen how long they wait.

gRPC's own way asks for one call of an RPC at a time and lets all others wait where nobody sees them, takes four turns
of its thread for each, and asks an interceptor anew every time. Here a call takes three: it came, it was read, it is
over. Between the first two it went once through the queue of all that gRPC's threads have to do, and the time that this
took is told to whoever lets calls in (admission.py). See docs/decisions/0012.

This reaches into grpcio's synchronous server (`grpc._server`), which has no door for it: its version is pinned, and
tests/unit/chassis/test_reception.py holds what is used of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from services.chassis import logs
from services.chassis.calls import Guarded

_grpc: Any = import_module("grpc._server")
_CLOSED: Final = "closed"
"""That a call is over, among what its state is due to hear."""

THREADS: Final = 2
"""That take what comes. Whichever of them waits for the next reads from all connections, which is half of what a call
costs gRPC and needs no GIL: with one thread nothing was read while Python ran."""
LOOK_SECONDS: Final = 1.0
"""How often a thread without anything to do looks whether the server is still there."""
AT_ONCE: Final = 256
"""Calls of one RPC that are asked for: to take so many takes longer than a call may wait before some are refused."""

log = logs.get(__name__)

Take = Callable[["Served", Guarded, bytes], None]
"""Hears of a call that was read, on one of gRPC's threads."""


class Server(_grpc._Server):  # type: ignore[misc]  # gRPC's own has no types
    """gRPC's synchronous server, whose guarded unary RPCs are given to `take`."""

    def __init__(self, take: Take, pool: Any, interceptors: Any, options: Any) -> None:
        """`pool` is what all other calls are submitted to."""
        super().__init__(pool, (), interceptors, options, None, None, False)
        self._take = take

    def start(self) -> None:
        """Serve from now on."""
        state = self._state
        doors = []
        for name, handler in list(state.registered_method_handlers.items()):
            found = _grpc._HandlerCallDetails(name, ())
            wrapped = state.interceptor_pipeline.execute(lambda _, handler=handler: handler, found)
            if isinstance(wrapped.unary_unary, Guarded):
                del state.registered_method_handlers[name]
                doors.append(_Door(state, name, wrapped, self._take))
        with state.lock:
            state.server.start()
            state.stage = _grpc._ServerStage.STARTED
            for name in state.registered_method_handlers:
                _grpc._request_registered_call(state, name)
            _grpc._request_call(state)
            for door in doors:
                door.open()
        for number in range(THREADS):
            threading.Thread(target=_serve, args=(state,), name=f"grpc-{number}", daemon=True).start()


def _serve(state: Any) -> None:
    """Take what comes, as gRPC's own thread would, until the server has stopped."""
    while state.stage is not _grpc._ServerStage.STOPPED:
        event = state.completion_queue.poll(time.time() + LOOK_SECONDS)
        if state.server_deallocated:
            _grpc._begin_shutdown_once(state)
        came = event.completion_type != _grpc.cygrpc.CompletionType.queue_timeout
        if came and not _grpc._process_event_and_continue(state, event):
            return
        event = None  # one of a call that is over would make the next poll spin


class _Door:
    """One RPC. All of it happens on gRPC's threads, under its lock."""

    def __init__(self, state: Any, name: str, handler: Any, take: Take) -> None:
        self._state = state
        self._name = name
        self._guarded: Guarded = handler.unary_unary
        self._serializer = handler.response_serializer
        self._take = take
        self._asked = 0

    def open(self) -> None:
        """Ask for calls."""
        self._state.due.add(self)
        for _ in range(AT_ONCE):
            self._ask()

    def _ask(self) -> None:
        queue = self._state.completion_queue
        self._state.server.request_registered_call(queue, queue, self._name, self._come)
        self._asked += 1

    def _come(self, event: Any) -> tuple[Any, tuple[()]]:
        """A call has come; or none will, since the server stops. Gives gRPC a state with which it is done."""
        state = self._state
        with state.lock:
            self._asked -= 1
            if event.success:
                call = _grpc._RPCState()
                state.rpc_states.add(call)
                Served(event, call, self._serializer).read(self._guarded, self._take)
            if state.stage is _grpc._ServerStage.STARTED:
                self._ask()
            elif not self._asked:
                state.due.discard(self)
                last = _grpc._RPCState()  # has gRPC look whether that was all it waited for
                state.rpc_states.add(last)
                return last, ()
        return None, ()


class Served:
    """One call as gRPC knows it. It is ended once: answered or refused."""

    __slots__ = ("_ended", "_serializer", "context", "event", "state")

    def __init__(self, event: Any, state: Any, serializer: Any) -> None:
        self.event = event
        self.state = state
        self.context = _grpc._Context(event, state, None)
        self._serializer = serializer
        self._ended = False

    def read(self, guarded: Guarded, take: Take) -> None:
        """Ask for the request's bytes, with which gRPC calls us on its own thread."""
        asked = time.monotonic()

        def come(event: Any) -> tuple[None, tuple[()]]:
            guarded.house.room.waited(time.monotonic() - asked)
            raw = event.batch_operations[0].message()
            try:
                if raw is None:  # the caller is gone, or has sent none
                    self._end(None, _grpc.cygrpc.StatusCode.unimplemented, b"send one request")
                else:
                    take(self, guarded, raw)
            except Exception as error:  # the thread serves everybody else as well
                log.error("call_lost", method=guarded.method.short, error=type(error).__name__, exc_info=error)
                self._lose(guarded)
            return None, ()

        self.event.call.start_server_batch((_grpc.cygrpc.ReceiveMessageOperation(0),), come)

    def answer(self, message: Any) -> None:
        """Send the answer; a caller who is gone is sent nothing."""
        raw = _grpc._common.serialize(message, self._serializer)
        if raw is None:
            self._end(None, _grpc.cygrpc.StatusCode.internal, b"Failed to serialize response!")
            return
        state = self.state
        sent = _grpc.cygrpc.SendMessageOperation(raw, _grpc._get_send_message_op_flags_from_state(state))
        self._end(state.trailing_metadata, _grpc._completion_code(state), _grpc._details(state), sent)

    def refuse(self, status: Any) -> None:
        """Send a grpc.Status; None where the handler has said itself what to send."""
        state = self.state
        if status is None:
            code = _grpc._abortion_code(state, _grpc.cygrpc.StatusCode.unknown)
            self._end(state.trailing_metadata, code, _grpc._details(state))
        else:
            self._end(status.trailing_metadata, _grpc._application_code(status.code), status.details.encode())

    def _lose(self, guarded: Guarded) -> None:
        """End what a bug of ours left open: its caller would wait for their deadline, and a stop for the call."""
        if self._ended:  # or began to: gRPC takes one end
            return
        try:
            self._end(None, _grpc.cygrpc.StatusCode.internal, b"our fault")
        except Exception as error:
            log.error("call_unended", method=guarded.method.short, error=type(error).__name__, exc_info=error)

    def _end(self, trailing: Any, code: Any, details: bytes, *sent: Any) -> None:
        state, self._ended = self.state, True
        with state.condition:
            first = (_grpc._get_initial_metadata_operation(state, None),) if state.initial_metadata_allowed else ()
            status = _grpc.cygrpc.SendStatusFromServerOperation(trailing, code, details, 0)
            # That the caller has closed is asked for only now: all else that it could tell us is that they are gone.
            closed = _grpc.cygrpc.ReceiveCloseOnServerOperation(0)
            self.event.call.start_server_batch(
                (*first, *sent, status, closed), _grpc._send_status_from_server(state, _CLOSED)
            )
            state.statused = True
            state.due.add(_CLOSED)
