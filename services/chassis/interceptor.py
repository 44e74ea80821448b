"""The one interceptor of every gRPC server: every handler is wrapped, and one that declares no roles is shut."""

from collections.abc import Callable, Collection
from typing import Any, NoReturn, TypeAlias

import grpc
from grpc_status import rpc_status

from services.chassis import errors
from services.chassis.admission import Admission
from services.chassis.calls import Guarded, House, Method, Urgent, nothing_is_urgent
from services.chassis.deciding import Refused, Why
from services.chassis.directory import Directory
from services.chassis.metrics import METRICS, Metrics
from services.chassis.roles import roles_of

OPEN = frozenset({"/grpc.health.v1.Health/Check"})
"""Asked by load balancers and supervisors: a certificate of our authority is enough."""
REFLECTION = frozenset({"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"})

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every handler. An RPC that declares no roles is refused.

    `checked_by_handler` are RPCs (/package.Service/Method) whose handlers call `checking.violations`
    themselves, as where each part of a bulk stands alone. `reflection` opens reflection to every certificate.
    `urgent` says of a request that it cannot wait for room (admission.py).
    """

    def __init__(
        self,
        directory: Directory,
        domain: str,
        *,
        checked_by_handler: Collection[str] = (),
        reflection: bool = False,
        urgent: Urgent = nothing_is_urgent,
        metrics: Metrics = METRICS,
    ) -> None:
        self._house = House(directory, domain, urgent, Admission(), metrics)
        self._checked_by_handler = frozenset(checked_by_handler)
        self._open = OPEN | REFLECTION if reflection else OPEN
        self._wrapped: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Give the wrapped handler; each is wrapped once."""
        name = handler_call_details.method
        known = self._wrapped.get(name)
        if known is not None:
            return known
        handler = continuation(handler_call_details)
        if handler is None:  # not remembered: the names of methods that do not exist have no end
            return None
        wrapped = handler if name in self._open else self._wrap(name, handler)
        self._wrapped[name] = wrapped
        return wrapped

    def _wrap(self, name: str, handler: Handler) -> Handler:
        # Requests are parsed here, not by gRPC, which calls bytes that are no message a fault of ours (INTERNAL).
        coding = {"request_deserializer": None, "response_serializer": handler.response_serializer}
        roles, parse = roles_of(name), handler.request_deserializer
        if not roles or parse is None:
            return _closed(handler, coding)
        short = name.rpartition(".")[2]
        ok, busy = (
            self._house.metrics.rpc_seconds.labels(short, code.name)
            for code in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
        )
        method = Method(short, roles, parse, name in self._checked_by_handler, ok, busy)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(Guarded(self._house, method, handler.unary_unary), **coding)
        if handler.stream_unary is not None:
            guarded = Guarded(self._house, method, handler.stream_unary, streams=True)
            return grpc.stream_unary_rpc_method_handler(guarded, **coding)
        # No RPC of ours streams answers; whoever adds one adds its guard here, and until then it stays shut.
        return _closed(handler, coding)


def _closed(handler: Handler, coding: dict[str, Any]) -> Handler:
    """A handler of the same shape that refuses everyone."""
    closed = rpc_status.to_status(errors.refusal(Refused(Why.FORBIDDEN, "this RPC is open to no role", "call another")))

    def refuse(_request: Any, context: grpc.ServicerContext) -> NoReturn:
        context.abort_with_status(closed)

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(refuse, **coding)
