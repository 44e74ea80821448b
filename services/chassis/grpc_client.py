"""A gRPC channel as every caller of ours opens it: mTLS, bounded retries, dead connections noticed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from services.chassis import tracing

LARGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes that either side takes."""


class TlsFiles(NamedTuple):
    """PEM files: who we are, and whom we trust."""

    certificate: Path
    key: Path
    authority: Path


# Every command may be repeated by its key, and every query as it is; four times at most.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # Together the retries may not double the load of a server that is already in trouble.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.2},
}


def channel(address: str, tls: TlsFiles, *, server_name: str = "") -> grpc.Channel:
    """A channel to host:port; it connects when it is first used, and again by itself within 5 s.

    `server_name` is the name in the server's certificate where it differs from the host. Calls give their own
    deadline: without one they may wait for ever.
    """
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(_RETRIES)),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 2),
    ]
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.authority.read_bytes(),
        private_key=tls.key.read_bytes(),
        certificate_chain=tls.certificate.read_bytes(),
    )
    return grpc.intercept_channel(grpc.secure_channel(address, credentials, options=options), _Traces())


class _Details(NamedTuple):
    """What gRPC asks a call's details to have."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Traces(grpc.UnaryUnaryClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Sends the present span's traceparent along with every call."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """See the class."""
        return continuation(_traced(client_call_details), request)

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """See the class."""
        return continuation(_traced(client_call_details), request_iterator)


def _traced(given: Any) -> Any:
    traceparent = tracing.current()
    if not traceparent:
        return given
    metadata = [*(given.metadata or ()), (tracing.TRACEPARENT, traceparent)]
    return _Details(given.method, given.timeout, metadata, given.credentials, given.wait_for_ready, given.compression)
