"""The server that the services use, on intake's address and certificates, without anything that guards its calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import grpc

from safeguarding.v1 import intake_pb2_grpc
from services.chassis import garbage
from services.chassis.arrivals import Server, Take
from services.chassis.calls import Guarded
from tests.performance.arms.serving import OPTIONS, address, credentials

STREAM_THREADS = 4


def serve_as_services(servicer: intake_pb2_grpc.IntakeServicer, take: Take) -> None:
    """Serve until ended as the services do (services/chassis/arrivals.py), but unary calls are guarded by nothing."""
    server = Server(take, ThreadPoolExecutor(STREAM_THREADS), [Bare()], OPTIONS)
    intake_pb2_grpc.add_IntakeServicer_to_server(servicer, server)
    server.add_secure_port(address(), credentials())
    garbage.look_seldom()
    server.start()
    Event().wait()


class Bare(grpc.ServerInterceptor):
    """Has unary calls come as the services' do, without anything that guards them."""

    def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Give the handler."""
        handler: Any = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        house: Any = SimpleNamespace(room=SimpleNamespace(waited=lambda seconds: None))
        method: Any = SimpleNamespace(short="bare")
        return grpc.unary_unary_rpc_method_handler(
            Guarded(house, method, handler.unary_unary), response_serializer=handler.response_serializer
        )
