"""Everybody who plays: entered in the directory, with a certificate of their own, calling under their own identity."""

import threading
from collections.abc import Iterable
from pathlib import Path

import grpc

from safeguarding.v1.audit_pb2_grpc import AuditStub
from safeguarding.v1.equality_pb2_grpc import EqualityStub
from safeguarding.v1.insight_pb2_grpc import InsightStub
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from safeguarding.v1.procedure_pb2_grpc import ProceduresStub
from safeguarding.v1.routing_pb2_grpc import PartnerInboxStub, RoutingStub
from safeguarding.v1.triage_pb2_grpc import TriageStub
from services.chassis.areas import load_areas
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.identity import ROLE_NAMES
from services.chassis.language import SERVICES
from services.cli.local import authority, directory
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from services.cli.scenario import ScenarioConcern

DESK = ("triage", "desk-1")
SUPERVISOR = ("supervisor", "desk-lead")
AUDITOR = ("auditor", "demo-auditor")


class People:
    """Raisers and the desk. Each identity keeps one channel to each service that it calls; thread-safe."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._channels: dict[tuple[str, str, str], grpc.Channel] = {}
        self._lock = threading.Lock()

    def enter(self, scenario: Iterable[ScenarioConcern]) -> None:
        """Enter every raiser of the scenario and the desk; partners are entered by `partners.add`."""
        raisers = {(ROLE_NAMES[each.raiser.role], each.raiser.id): each.raiser.kind for each in scenario}
        wanted = raisers | {DESK: "triage_desk", SUPERVISOR: "desk_supervisor", AUDITOR: "auditor"}
        issuer = authority.ensure(self._stack.home)
        for (role, name), kind in wanted.items():
            issuer.issue(role, name)
            if role != "partner":
                directory.write(self._stack.home, role, name, {"name": name, "kind": kind or role})

    def intake(self, role: str, name: str) -> IntakeStub:
        """The raisers' front door, as this identity."""
        return IntakeStub(self._channel(role, name, "intake"))

    def triage(self, role: str, name: str) -> TriageStub:
        """The triage desk, as this identity."""
        return TriageStub(self._channel(role, name, "triage"))

    def routing(self, role: str, name: str) -> RoutingStub:
        """Journeys and outcomes, as this identity."""
        return RoutingStub(self._channel(role, name, "partner-routing"))

    def equality(self, role: str, name: str) -> EqualityStub:
        """Equality questions, as this identity."""
        return EqualityStub(self._channel(role, name, "intake"))

    def procedures(self, role: str, name: str) -> ProceduresStub:
        """Stages and case conferences, as this identity."""
        return ProceduresStub(self._channel(role, name, "partner-routing"))

    def insight(self, role: str, name: str) -> InsightStub:
        """Figures, and a partner's own service levels."""
        return InsightStub(self._channel(role, name, "partner-routing"))

    def audit(self, role: str, name: str) -> AuditStub:
        """What audit tells, as this identity."""
        return AuditStub(self._channel(role, name, "audit"))

    def inbox(self, partner_id: str) -> PartnerInboxStub:
        """The inbox of a partner without Kafka."""
        return PartnerInboxStub(self._channel("partner", partner_id, "partner-routing"))

    def close(self) -> None:
        """Close every channel."""
        with self._lock:
            for each in self._channels.values():
                each.close()

    def _channel(self, role: str, name: str, service: str) -> grpc.Channel:
        with self._lock:
            if (role, name, service) not in self._channels:
                who = authority.ensure(self._stack.home).issue(role, name)
                tls = TlsFiles(who.certificate, who.key, who.authority)
                self._channels[role, name, service] = channel(self._stack.address(service), tls)
            return self._channels[role, name, service]


def partners_of(area: Path) -> list[Partner]:
    """The partners of an area's partners.toml, as the local stack adds them."""
    return [
        Partner(
            id=planned.id,
            name=planned.name,
            serves=tuple(SERVICES.word(service) for service in planned.serves),
            areas=tuple(planned.areas),
            kind=planned.kind,
            kafka=planned.kafka,
            lead=planned.lead,
        )
        for planned in load_areas(area).partners
    ]
