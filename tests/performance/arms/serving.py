"""gRPC's own servers of both kinds, on intake's address and certificates."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from safeguarding.v1 import intake_pb2_grpc
from tests.performance.arms.told import told

THREADS = 32
"""As many as gRPC's own synchronous server is fastest with."""
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
