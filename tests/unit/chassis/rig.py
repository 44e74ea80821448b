"""A running server with the chassis around a handler that a test gives."""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry
from pydantic_settings import SettingsConfigDict

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.common_pb2 import CONCERN_KIND_HATE_CRIME
from safeguarding.v1.concern_pb2 import Concern, Narrative, Signs
from safeguarding.v1.intake_pb2_grpc import IntakeStub, add_IntakeServicer_to_server
from services.chassis.calls import Urgent, nothing_is_urgent, promptly
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.grpc_server import build_server
from services.chassis.health import Health
from services.chassis.metrics import Metrics
from services.chassis.settings import ServiceSettings
from tests.unit.chassis.certificates import DOMAIN, Authority, make_authority

REFERRAL = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"


class RigSettings(ServiceSettings):
    """Settings of no service, under a prefix of their own."""

    model_config = SettingsConfigDict(env_prefix="RIG_")


def settings_fields(folder: Path, authority: Authority, port: int = 7001) -> dict[str, str]:
    """A whole and right environment, without the prefix, in lower case."""
    server = authority.issue("server", [f"spiffe://{DOMAIN}/service/intake"])
    for name in ("directory", "area"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "environment": "local",
        "kafka_servers": "127.0.0.1:9092",
        "kafka_username": "intake",
        "kafka_password": "kafka-canary",
        "kafka_security": "SASL_PLAINTEXT",
        "mongo_url": "mongodb://127.0.0.1:27017",
        "mongo_database": "intake",
        "grpc_address": f"127.0.0.1:{port}",
        "http_address": "127.0.0.1:7002",
        "tls_certificate": str(server.certificate),
        "tls_key": str(server.key),
        "tls_authority": str(authority.file),
        "trust_domain": DOMAIN,
        "directory": str(folder / "directory"),
        "area": str(folder / "area"),
        "request_hmac_key": "ab" * 32,
    }


class Handler:
    """Intake, answering as the test says."""

    def __init__(self) -> None:
        self.answers: Callable[[Any, grpc.ServicerContext], Any] = answers_well

    def GetReferral(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the RPC's name
        return self.answers(request, context)

    @promptly
    def RaiseConcern(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the RPC's name
        return self.answers(request, context)

    RaiseConcerns = Amend = SupplyInformation = Withdraw = GetReferral


def answers_well(_request: Any, _context: grpc.ServicerContext) -> intake.GetReferralResponse:
    """The empty handler."""
    return intake.GetReferralResponse(referral_id=REFERRAL)


@dataclass
class Rig:
    """The server, its authority and its directory."""

    address: str
    authority: Authority
    directory: Path
    handler: Handler
    health: Health
    metrics: Metrics
    server: grpc.Server
    channels: list[grpc.Channel] = field(default_factory=list)

    def enter(self, role: str, person: str, text: str = 'name = "Someone"\nkind = "special_constable"\n') -> Path:
        """Write someone into the directory."""
        file = self.directory / role / f"{person}.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def channel(self, tls: TlsFiles) -> grpc.Channel:
        """A channel as this client, closed at the end."""
        self.channels.append(channel(self.address, tls))
        return self.channels[-1]

    def stub(self, tls: TlsFiles) -> IntakeStub:
        """The service as this client sees it."""
        return IntakeStub(self.channel(tls))

    def once(self, tls: TlsFiles) -> IntakeStub:
        """The same, which calls once and never again by itself."""
        credentials = grpc.ssl_channel_credentials(
            tls.authority.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
        )
        self.channels.append(grpc.secure_channel(self.address, credentials, options=[("grpc.enable_retries", 0)]))
        return IntakeStub(self.channels[-1])

    def officer(self) -> IntakeStub:
        """The service as an officer who is in the directory sees it."""
        self.enter("officer", "officer-1")
        return self.stub(self.authority.officer())


def concern(number: int, *, danger: bool) -> intake.RaiseConcernRequest:
    """A right request to raise a concern."""
    return intake.RaiseConcernRequest(
        idempotency_key=f"one-of-a-flood-{number:08}",
        concern=Concern(
            kinds=[CONCERN_KIND_HATE_CRIME],
            area="bristol",
            narrative=Narrative(text="Shouted at again."),
            signs=Signs(immediate_danger=danger),
        ),
    )


def free_port() -> int:
    """A port that nobody holds at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, urgent: Urgent = nothing_is_urgent) -> Generator[Rig, None, None]:
    """A server on a free loopback port, stopped at the end."""
    authority = make_authority(folder / "ca")
    settings = RigSettings.model_validate(settings_fields(folder, authority, free_port()))
    handler, metrics = Handler(), Metrics(CollectorRegistry())
    health = Health(metrics=metrics)
    server = build_server(settings, [(add_IntakeServicer_to_server, handler)], health, urgent=urgent, metrics=metrics)
    server.start()
    rig = Rig(settings.grpc_address, authority, settings.directory, handler, health, metrics, server)
    try:
        yield rig
    finally:
        for opened in rig.channels:
            opened.close()
        server.stop(grace=1).wait(5)


def refusal(error: Any) -> Status:
    """The google.rpc.Status of a failed call."""
    status: Status | None = rpc_status.from_call(error)
    assert status is not None, f"no details in {error}"
    return status


def detail(status: Status, kind: Any) -> Any:
    """The one detail of this kind."""
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    raise AssertionError(f"no {kind.__name__} in {status}")


def info(status: Status) -> details.ErrorInfo:
    """The ErrorInfo of a status."""
    return detail(status, details.ErrorInfo)
