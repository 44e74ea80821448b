"""Every RPC as its server answers it: bytes through the one interceptor to the service's own handler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import grpc
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from prometheus_client import CollectorRegistry

from safeguarding.v1 import (
    audit_pb2_grpc,
    equality_pb2_grpc,
    insight_pb2_grpc,
    intake_pb2_grpc,
    parked_pb2_grpc,
    procedure_pb2_grpc,
    routing_pb2_grpc,
    triage_pb2_grpc,
)
from safeguarding.v1.audit_pb2 import SearchRequest, TimelineEntry
from services.audit.api import AuditApi
from services.audit.entries import entry_of, leaf_of
from services.audit.index import event_key
from services.audit.log.leaf import batch_of
from services.audit.log.memory import FileMemory
from services.audit.log.writer import Writer
from services.audit.published import Published
from services.audit.views import Results, _query
from services.chassis.identity import ROLES, Name
from services.chassis.interceptor import CallInterceptor
from services.chassis.metrics import Metrics
from services.chassis.parked_api import ParkedApi
from services.intake.api import IntakeApi, KeysApi
from services.intake.equality import Answers, EqualityApi
from services.intake.protection import ProtectionApi
from services.intake.views import Referrals
from services.intake.watched import Watch, WatchedApi
from services.partner_routing.api import RoutingApi
from services.partner_routing.inbox import InboxApi
from services.partner_routing.insight import InsightApi
from services.partner_routing.procedures import ProceduresApi
from services.triage.api import TriageApi
from tests.fuzz.stage import Defect, Stage
from tests.unit.audit.log.support import SIGNER, VERIFIER

DOMAIN = "fuzz.invalid"
PACKAGE = "safeguarding.v1"
NEVER = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED})
"""Nothing is ever away on the stage, so these would be lies."""
LONGEST_STATUS = 8 * 1024
"""gRPC sends a status in headers, which many clients limit to this."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call came to: the answer, or the status with its details."""

    answer: Any = None
    status: Status | None = None


class _Aborted(Exception):
    """As gRPC ends a handler."""


class Call:
    """A ServicerContext, of which handlers see the caller, the time and little else."""

    def __init__(self, role: str, who: str) -> None:
        uri = f"spiffe://{DOMAIN}/{role}/{who}".encode()
        self._auth = {"peer_uri": [uri], "peer_spiffe_id": [uri]}
        self.status: Any = None

    def auth_context(self) -> Mapping[str, Any]:
        """See ServicerContext."""
        return self._auth

    def invocation_metadata(self) -> Sequence[Any]:
        """See ServicerContext."""
        return ()

    def time_remaining(self) -> float:
        """See ServicerContext."""
        return 10.0

    def code(self) -> Any:
        """See ServicerContext; None until a handler said one."""
        return self.status.code if self.status is not None else None

    def abort_with_status(self, status: Any) -> NoReturn:
        """See ServicerContext."""
        self.status = status
        raise _Aborted

    def abort(self, code: grpc.StatusCode, text: str) -> NoReturn:
        """See ServicerContext. Ours are never so bare."""
        raise Defect(f"a bare {code.name}: {text}")


class Doors:
    """Calls any RPC of any service on the stage."""

    def __init__(self, stage: Stage, log: Path) -> None:
        self._stage = stage
        self._log = log
        self._wrapped: dict[str, Any] = {}
        self._metrics = Metrics(CollectorRegistry())
        self.open()

    def open(self) -> None:
        """Connect the doors to the stage's present engines."""
        handlers: Any = Handlers()
        stage = self._stage
        parts = {service: found.parts for service, found in stage.services.items()}
        views: Any = MemoryViews(stage, self._log)
        intake_pb2_grpc.add_IntakeServicer_to_server(
            IntakeApi(parts["intake"], stage.wrapper, stage.linker, lambda: stage.areas), handlers
        )
        intake_pb2_grpc.add_KeysServicer_to_server(KeysApi(parts["intake"], stage.wrapper), handlers)
        answers = Answers(stage.answers, b"q" * 32)
        protection = ProtectionApi(parts["intake"], stage.wrapper, stage.linker, answers)
        equality_pb2_grpc.add_EqualityServicer_to_server(
            EqualityApi(parts["intake"], answers, lambda: stage.areas), handlers
        )
        everybody = Watch(b"w" * 32, dict, lambda: frozenset({b"nobody's key...."}))
        intake_pb2_grpc.add_WatchedServicer_to_server(
            WatchedApi(Referrals(parts["intake"].collection), stage.wrapper, everybody), handlers
        )
        intake_pb2_grpc.add_ProtectionServicer_to_server(protection, handlers)
        triage_pb2_grpc.add_TriageServicer_to_server(TriageApi(parts["triage"], stage.keys), handlers)
        routing_pb2_grpc.add_RoutingServicer_to_server(
            RoutingApi(parts["partner-routing"], stage.routing_area.snapshot, stage.keys), handlers
        )
        insight_pb2_grpc.add_InsightServicer_to_server(
            InsightApi(parts["partner-routing"], lambda: stage.areas), handlers
        )
        procedure_pb2_grpc.add_ProceduresServicer_to_server(
            ProceduresApi(parts["partner-routing"], stage.keys), handlers
        )
        routing_pb2_grpc.add_PartnerInboxServicer_to_server(
            InboxApi(parts["partner-routing"], stage.keys, stage.routing_area.snapshot), handlers
        )
        triage = stage.services["triage"]
        parked_pb2_grpc.add_ParkedRecordsServicer_to_server(ParkedApi(triage.parked, triage.engine), handlers)
        audit_pb2_grpc.add_AuditServicer_to_server(
            AuditApi(views, parts["triage"].access, Published(self._log, VERIFIER)), handlers
        )
        guard = CallInterceptor(
            stage.directory,
            DOMAIN,
            checked_by_handler=(f"/{PACKAGE}.Intake/RaiseConcerns",),
            metrics=self._metrics,
        )
        self._wrapped = {name: _guarded(guard, name, found) for name, found in handlers.found.items()}

    @property
    def methods(self) -> list[str]:
        """Every RPC, as Service/Method."""
        return sorted(name.removeprefix(f"/{PACKAGE}.") for name in self._wrapped)

    def call(self, method: str, role: str, who: str, raw: bytes | Sequence[bytes]) -> Answered:
        """Call with bytes, or with the bytes of each message of a stream. Raises Defect for an improper refusal."""
        handler = self._wrapped[f"/{PACKAGE}.{method}"]
        context: Any = Call(role, who)
        try:
            if isinstance(raw, bytes):
                answer = handler.unary_unary(raw, context)
            else:
                answer = handler.stream_unary(iter(raw), context)
        except _Aborted:
            return Answered(status=proper(method, context.status))
        handler.response_serializer(answer)
        return Answered(answer=answer)

    def enter(self, role: str, who: str) -> None:
        """Write somebody into the directory."""
        folder = self._stage.folder / role
        folder.mkdir(exist_ok=True)
        (folder / f"{who}.toml").write_text(f'name = "{who}"\nkind = "{role}"\n')
        self._stage.directory.find(Name(ROLES[role], who))


def proper(method: str, status: Any) -> Status:
    """The status, if it says with a code of ours what was wrong and what would be right; else raises Defect."""
    if status.code in NEVER or status.code in AWAY:
        raise Defect(f"{method} answered {status.code.name}")
    [packed] = [value for name, value in status.trailing_metadata if name == "grpc-status-details-bin"]
    if len(packed) > LONGEST_STATUS:
        raise Defect(f"{method}: a status of {len(packed)} bytes")
    whole = Status.FromString(packed)
    info = details.ErrorInfo()
    if not any(each.Unpack(info) for each in whole.details if each.Is(info.DESCRIPTOR)):
        raise Defect(f"{method}: {status.code.name} without ErrorInfo")
    if not (info.reason and info.metadata.get("wrong") and info.metadata.get("right")):
        raise Defect(f"{method}: {status.code.name} does not say what was wrong and what would be right")
    return whole


class Handlers:
    """Takes what a service's generated code registers."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, _handlers: Any) -> None:
        """See grpc.Server: the same handlers come by name, too."""

    def add_registered_method_handlers(self, service: str, methods: Mapping[str, Any]) -> None:
        """See grpc.Server."""
        self.found |= {f"/{service}/{method}": handler for method, handler in methods.items()}


def _guarded(guard: CallInterceptor, name: str, handler: Any) -> Any:
    details: Any = SimpleNamespace(method=name)
    return guard.intercept_service(lambda _: handler, details)


class MemoryViews:
    """Audit's queries over what lay on the bus when the doors were opened, and its log in a folder."""

    def __init__(self, stage: Stage, log: Path) -> None:
        self._entries = [entry_of(record) for record in stage.bus.records]
        if not (log / "checkpoint").exists():
            topic_id = "00000000-0000-4000-8000-0000000000aa"
            leaves = [leaf_of(record, entry_of(record), topic_id) for record in stage.bus.records]
            ordered = sorted(leaves, key=lambda leaf: (leaf.topic, leaf.offset))
            one_topic = [leaf._replace(topic="t", offset=place) for place, leaf in enumerate(ordered)]
            with Writer(log, SIGNER, [FileMemory(log.parent / "signed")]) as writer:
                writer.append(batch_of(one_topic))

    def timeline(self, referral_id: str) -> list[TimelineEntry]:
        """See Views."""
        return [each.timeline for each in self._entries if referral_id in each.referrals]

    def first(self, key: str) -> TimelineEntry | None:
        """See Views."""
        entries = (each.timeline for each in self._entries)
        return next((entry for entry in entries if event_key(entry.topic, entry.event_id) == key), None)

    def search(self, request: SearchRequest) -> Results:
        """See Views; what is asked is read as there."""
        _query(request)
        found = [each.timeline for each in self._entries]
        return Results(found[: request.limit], "", len(found))
