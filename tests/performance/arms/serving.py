"""Python's gRPC servers on intake's address and certificates: gRPC's own of both kinds, and the services' own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import grpc

from safeguarding.v1 import intake_pb2_grpc
from services.chassis import garbage
from services.chassis.arrivals import Server, Take
from services.chassis.calls import Guarded
from tests.performance.arms.told import told

THREADS = 32
"""As many as gRPC's own synchronous server is fastest with."""
STREAM_THREADS = 4
OPTIONS = [("grpc.so_reuseport", 0)]


class OtherRpcs(intake_pb2_grpc.IntakeServicer):
    """Every RPC that nobody calls here."""

    def _unused(self, request: Any, context: grpc.ServicerContext) -> Any:
        raise NotImplementedError

    RaiseConcern = _unused
    RaiseConcerns: Any = _unused
    Amend = _unused
    SupplyInformation = _unused
    Withdraw = _unused
    GetReferral = _unused


def credentials() -> grpc.ServerCredentials:
    """Intake's certificate, and the authority whose certificates callers need."""
    tls = {name: Path(told()["environment"][f"INTAKE_TLS_{name}"]).read_bytes() for name in ("KEY", "CERTIFICATE")}
    authority = Path(told()["environment"]["INTAKE_TLS_AUTHORITY"]).read_bytes()
    return grpc.ssl_server_credentials(
        [(tls["KEY"], tls["CERTIFICATE"])], root_certificates=authority, require_client_auth=True
    )


def address() -> str:
    """Where intake would serve."""
    found: str = told()["environment"]["INTAKE_GRPC_ADDRESS"]
    return found


def serve(servicer: intake_pb2_grpc.IntakeServicer) -> None:
    """Serve until ended, by gRPC's synchronous server with a bounded pool."""
    server = grpc.server(ThreadPoolExecutor(THREADS), options=OPTIONS)
    intake_pb2_grpc.add_IntakeServicer_to_server(servicer, server)
    server.add_secure_port(address(), credentials())
    server.start()
    server.wait_for_termination()


def serve_by_asyncio(servicer: intake_pb2_grpc.IntakeServicer) -> None:
    """Serve until ended, by grpc.aio."""

    async def run() -> None:
        server: Any = grpc.aio.server(options=OPTIONS)  # what is generated is typed for the other kind
        intake_pb2_grpc.add_IntakeServicer_to_server(servicer, server)
        server.add_secure_port(address(), credentials())
        await server.start()
        await server.wait_for_termination()

    asyncio.run(run())


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
