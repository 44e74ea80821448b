"""gRPC in: stages of procedures and case conferences. Minutes are sealed here, before anything else sees them."""

from __future__ import annotations

from typing import Any

import grpc

from safeguarding.v1 import access_pb2, procedure_pb2, procedure_pb2_grpc
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from services.chassis.calls import caller
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Answer
from services.chassis.engine.document import Document
from services.chassis.keys import Keys
from services.chassis.service import Parts
from services.partner_routing.conferences import may_have, minutes_of, shown, shown_to
from services.partner_routing.domain import State
from services.partner_routing.domain.conferring import seen_by
from services.partner_routing.notes import sealed_note
from services.partner_routing.views import Referrals


class ProceduresApi(procedure_pb2_grpc.ProceduresServicer):
    """Stages and case conferences."""

    def __init__(self, parts: Parts[State], keys: Keys) -> None:
        self._parts = parts
        self._keys = keys
        self._referrals = Referrals(parts.collection)

    def RecordStage(  # noqa: N802 - the RPC's name
        self, request: procedure_pb2.RecordStageRequest, context: grpc.ServicerContext
    ) -> procedure_pb2.RecordStageResponse:
        """Record that a stage was reached."""
        facts = self._submit(request, context).facts
        return procedure_pb2.RecordStageResponse(started=_only(facts, "stage_reached").started)

    def CallConference(  # noqa: N802 - the RPC's name
        self, request: procedure_pb2.CallConferenceRequest, context: grpc.ServicerContext
    ) -> procedure_pb2.CallConferenceResponse:
        """Call a case conference."""
        facts = self._submit(request, context).facts
        return procedure_pb2.CallConferenceResponse(
            conference_id=_only(facts, "conference_called").conference_id,
            leg_ids=[each.leg_id for each in _all(facts, "conference_invited")],
        )

    def RecordConference(  # noqa: N802 - the RPC's name
        self, request: procedure_pb2.RecordConferenceRequest, context: grpc.ServicerContext
    ) -> procedure_pb2.RecordConferenceResponse:
        """Record what a case conference decided."""
        sealed = self._sealed(request) if request.minutes else None
        facts = self._submit(request, context, sealed).facts
        return procedure_pb2.RecordConferenceResponse(
            started=_only(facts, "stage_reached").started,
            leg_ids=[each.leg_id for each in _all(facts, "minutes_passed") if each.given],
        )

    def CompleteDecision(  # noqa: N802 - the RPC's name
        self, request: procedure_pb2.CompleteDecisionRequest, context: grpc.ServicerContext
    ) -> procedure_pb2.CompleteDecisionResponse:
        """Say that something a conference decided was done."""
        facts = self._submit(request, context).facts
        return procedure_pb2.CompleteDecisionResponse(done_at=facts[0].header.occurred_at)

    def ReadConferences(  # noqa: N802 - the RPC's name
        self, request: procedure_pb2.ReadConferencesRequest, context: grpc.ServicerContext
    ) -> procedure_pb2.ReadConferencesResponse:
        """Read the conferences of a referral; a partner those to which it was invited."""
        identity = caller()
        document = self._find(request.referral_id)
        state = document.state
        if identity.role == ROLE_PARTNER:
            if not any(leg.partner_id == identity.id for leg in state.legs.values()):
                raise _absent()
            seen = [(conference, leg.id) for conference, leg in seen_by(state, identity.id)]
            opens = any(may_have(state, conference, leg_id) for conference, leg_id in seen)
        else:
            seen = [(conference, "") for conference in state.procedures.conferences.values()]
            opens = any(conference.held and conference.held.HasField("minutes") for conference, _ in seen)
        keys = self._keys.open([document.id])[document.id] if opens else {}
        found = []
        for conference, leg_id in seen:
            minutes = minutes_of(conference, keys, document.id)
            found.append(shown_to(state, conference, leg_id, minutes) if leg_id else shown(conference, minutes))
        partner = identity.role == ROLE_PARTNER
        self._parts.access.record(
            identity,
            access_pb2.ACCESS_KIND_DISCLOSED if partner and opens else access_pb2.ACCESS_KIND_VIEWED,
            "Procedures/ReadConferences",
            reason="case_conference",
            referral_ids=[document.id],
            groups=[FieldGroup.FIELD_GROUP_NARRATIVE] if opens else [],
            leg_id=seen[0][1] if seen else "",
        )
        return procedure_pb2.ReadConferencesResponse(conferences=found)

    def _sealed(self, request: procedure_pb2.RecordConferenceRequest) -> Sealed:
        return sealed_note(self._keys, self._find(request.referral_id), request.minutes, "minutes")

    def _find(self, referral_id: str) -> Document[State]:
        """The referral, unless it is hidden from the caller."""
        document = self._referrals.find(referral_id)
        if document is None or document.state.known.raised is None:
            raise _absent()
        if document.state.asked.hidden and caller().role in (ROLE_TRIAGE, ROLE_PARTNER):
            raise _absent()
        return document

    def _submit(self, request: Any, context: grpc.ServicerContext, sealed: Sealed | None = None) -> Answer[State]:
        made = self._parts.commands.make(caller(), request.idempotency_key, request, request.referral_id, sealed=sealed)
        [future] = self._parts.engine.submit([made])
        return answered(future, context)


def _absent() -> Refused:
    return Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")


def _all(facts: Any, kind: str) -> list[Any]:
    return [getattr(fact, kind) for fact in facts if fact.WhichOneof("fact") == kind]


def _only(facts: Any, kind: str) -> Any:
    [found] = _all(facts, kind)
    return found
