"""A gRPC server as every service runs it: mTLS required, calls and messages bounded, roles enforced."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.chassis.arrivals import Server
from services.chassis.calls import Urgent, nothing_is_urgent
from services.chassis.directory import Directory
from services.chassis.grpc_client import LARGEST_MESSAGE
from services.chassis.health import Health
from services.chassis.interceptor import CallInterceptor
from services.chassis.metrics import METRICS, Metrics
from services.chassis.reception import Reception
from services.chassis.settings import ServiceSettings

MOST_PENDING = 100_000

Servicer = tuple[Callable[[Any, grpc.Server], None], object]
"""The generated add_…Servicer_to_server, and what it adds."""


def build_server(
    settings: ServiceSettings,
    servicers: Sequence[Servicer],
    health: Health,
    *,
    directory: Directory | None = None,
    checked_by_handler: Collection[str] = (),
    interceptors: Sequence[grpc.ServerInterceptor] = (),
    urgent: Urgent = nothing_is_urgent,
    metrics: Metrics = METRICS,
) -> grpc.Server:
    """A server on settings.grpc_address, not yet started.

    Raises RuntimeError where the port is taken. `interceptors` run inside ours, around the same handler.
    """
    local = settings.environment == "local"
    guard = CallInterceptor(
        directory if directory is not None else Directory(settings.directory),
        settings.trust_domain,
        checked_by_handler=checked_by_handler,
        reflection=local,
        urgent=urgent,
        metrics=metrics,
    )
    reception = Reception()
    server: grpc.Server = Server(
        reception.take,
        reception,
        interceptors=[guard, *interceptors],
        options=[
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.max_concurrent_streams", 256),
            # Else a call that is over counts as open until our thread has noticed, and others are ended instead.
            ("grpc.http.overload_protection", 0),
            # As shipped, of more than 1,000 that wait for our thread to look at them some are ended without a word.
            ("grpc.server.max_pending_requests", MOST_PENDING),
            ("grpc.server.max_pending_requests_hard_limit", MOST_PENDING),
            # A port that another process holds is an error, never shared.
            ("grpc.so_reuseport", 0),
            # A caller that is gone without a word is noticed, and one that pings too often is sent away.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.http2.max_ping_strikes", 3),
        ],
    )
    for add, servicer in servicers:
        add(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    if local:
        _reflect(server, servicers)
    server.add_secure_port(settings.grpc_address, _credentials(settings))
    return server


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials:
    """Our certificate, and the authority without whose certificate the handshake fails."""
    pair = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
    return grpc.ssl_server_credentials(
        [pair], root_certificates=settings.tls_authority.read_bytes(), require_client_auth=True
    )


def _reflect(server: grpc.Server, servicers: Sequence[Servicer]) -> None:
    names = [_service_name(add) for add, _ in servicers]
    health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection([*names, health, reflection.SERVICE_NAME], server)


def _service_name(add: Callable[[Any, grpc.Server], None]) -> str:
    service = add.__name__.removeprefix("add_").removesuffix("Servicer_to_server")
    return f"safeguarding.v1.{service}"
