"""gRPC in: the desk's commands and queries. What a person writes is sealed here, before anything else sees it."""

from __future__ import annotations

from typing import Any

import grpc

from safeguarding.v1 import access_pb2, triage_pb2, triage_pb2_grpc
from safeguarding.v1.access_control_pb2 import ROLE_PROTECTION, ROLE_SUPERVISOR
from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis.calls import caller
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine.document import Document
from services.chassis.keys import Keys, ReferralKeys
from services.chassis.sealing import open_part, seal
from services.chassis.service import Parts
from services.links import assessed
from services.triage.domain import State
from services.triage.views import Referrals

SEE_HIDDEN = frozenset({ROLE_SUPERVISOR, ROLE_PROTECTION})
"""Roles that still see what was entered in error."""
NOTE_VERSION = 1_000_000
"""Versions of what triage seals begin here, so that they never meet intake's."""


class TriageApi(triage_pb2_grpc.TriageServicer):
    """The triage desk."""

    def __init__(self, parts: Parts[State], keys: Keys) -> None:
        self._parts = parts
        self._keys = keys
        self._referrals = Referrals(parts.collection)

    def OverrideGrade(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.OverrideGradeRequest, context: grpc.ServicerContext
    ) -> triage_pb2.OverrideGradeResponse:
        """Set the grade by judgement."""
        sequence = self._command(request, request.reason, context)
        return triage_pb2.OverrideGradeResponse(sequence=sequence)

    def RequestInformation(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.RequestInformationRequest, context: grpc.ServicerContext
    ) -> triage_pb2.RequestInformationResponse:
        """Ask the raiser a question."""
        sequence = self._command(request, request.question, context)
        return triage_pb2.RequestInformationResponse(sequence=sequence)

    def TakeNoFurtherAction(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.TakeNoFurtherActionRequest, context: grpc.ServicerContext
    ) -> triage_pb2.TakeNoFurtherActionResponse:
        """Take no further action."""
        sequence = self._command(request, request.note, context)
        return triage_pb2.TakeNoFurtherActionResponse(sequence=sequence)

    def Route(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.RouteRequest, context: grpc.ServicerContext
    ) -> triage_pb2.RouteResponse:
        """Route by judgement."""
        return triage_pb2.RouteResponse(sequence=self._command(request, "", context))

    def Reopen(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.ReopenRequest, context: grpc.ServicerContext
    ) -> triage_pb2.ReopenResponse:
        """Open a referral again."""
        return triage_pb2.ReopenResponse(sequence=self._command(request, request.note, context))

    def EnterInError(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.EnterInErrorRequest, context: grpc.ServicerContext
    ) -> triage_pb2.EnterInErrorResponse:
        """Keep and hide a referral that should never have been."""
        return triage_pb2.EnterInErrorResponse(sequence=self._command(request, request.note, context))

    def ConfirmLink(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.ConfirmLinkRequest, context: grpc.ServicerContext
    ) -> triage_pb2.ConfirmLinkResponse:
        """Confirm a suggested link."""
        return triage_pb2.ConfirmLinkResponse(sequence=self._command(request, "", context))

    def RejectLink(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.RejectLinkRequest, context: grpc.ServicerContext
    ) -> triage_pb2.RejectLinkResponse:
        """Reject a link."""
        return triage_pb2.RejectLinkResponse(sequence=self._command(request, "", context))

    def RecordThrive(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.RecordThriveRequest, context: grpc.ServicerContext
    ) -> triage_pb2.RecordThriveResponse:
        """Record THRIVE."""
        return triage_pb2.RecordThriveResponse(sequence=self._command(request, request.thrive, context))

    def ListWork(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.ListWorkRequest, context: grpc.ServicerContext
    ) -> triage_pb2.ListWorkResponse:
        """List what waits for the desk."""
        waiting = self._referrals.waiting(request.limit)
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_SEARCHED,
            "Triage/ListWork",
            reason="worklist",
            referral_ids=[document.id for document in waiting],
        )
        return triage_pb2.ListWorkResponse(items=[item(document) for document in waiting])

    def GetAssessment(  # noqa: N802 - the RPC's name
        self, request: triage_pb2.GetAssessmentRequest, context: grpc.ServicerContext
    ) -> triage_pb2.GetAssessmentResponse:
        """Read one referral with its narratives."""
        document = self._find(request.referral_id)
        if document.state.hidden and caller().role not in SEE_HIDDEN:
            raise _absent()
        keys = self._keys.open([request.referral_id])[request.referral_id]
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Triage/GetAssessment",
            reason=request.reason,
            referral_ids=[request.referral_id],
            groups=[FieldGroup.FIELD_GROUP_NARRATIVE],
        )
        narratives = [
            narrative.text
            for part in document.state.known.narratives
            if (narrative := open_part(keys, document.id, part, Narrative)) is not None
        ]
        return triage_pb2.GetAssessmentResponse(
            item=item(document),
            fired=document.state.fired,
            narratives=narratives,
            links=assessed(document.state.links),
            thrive=[_thrive(keys, document.id, fact) for fact in document.state.thrive],
        )

    def _command(self, request: Any, words: str | triage_pb2.Thrive, context: grpc.ServicerContext) -> int:
        desk: triage_pb2.DeskCommand = request.command
        command = self._parts.commands.make(
            caller(),
            desk.idempotency_key,
            request,
            desk.referral_id,
            seen_sequence=desk.seen_sequence,
            sealed=self._sealed(desk.referral_id, words) if words else None,
        )
        [future] = self._parts.engine.submit([command])
        answer = answered(future, context)
        sequence: int = answer.facts[-1].header.sequence
        return sequence

    def _sealed(self, referral_id: str, words: str | triage_pb2.Thrive) -> Sealed:
        document = self._find(referral_id)
        key_id = document.state.known.narrative_key
        key = self._keys.open([referral_id], {referral_id: [key_id]})[referral_id].get(key_id)
        if key is None:
            raise Refused(Why.ILLEGAL, "the referral was erased", "nothing can be written about it")
        version = NOTE_VERSION + document.state.sequence
        content = Narrative(text=words) if isinstance(words, str) else words
        return seal(key, referral_id, key_id, FieldGroup.FIELD_GROUP_NARRATIVE, version, content)

    def _find(self, referral_id: str) -> Document[State]:
        document = self._referrals.find(referral_id)
        if document is None or document.state.known.raised is None:
            raise _absent()
        return document


def _thrive(keys: ReferralKeys, referral_id: str, fact: triage_pb2.TriageFact) -> triage_pb2.RecordedThrive:
    return triage_pb2.RecordedThrive(
        thrive=open_part(keys, referral_id, fact.thrive_recorded.thrive, triage_pb2.Thrive),
        recorded_at=fact.header.occurred_at,
        by=fact.header.actor,
    )


def _absent() -> Refused:
    return Refused(Why.UNKNOWN, "no such referral", "name a referral of the worklist", field="referral_id")


def item(document: Document[State]) -> triage_pb2.WorkItem:
    """A referral as the worklist shows it: nothing personal, and all by which the desk orders its work."""
    state = document.state
    raised = state.known.raised
    item = triage_pb2.WorkItem(
        referral_id=document.id,
        grade=state.grade,  # type: ignore[arg-type]  # an int of the enum
        raised_at=state.known.raised_at,
        decide_by=state.decide_by,
        sequence=state.sequence,
        awaiting_information=state.awaiting_information,
        reached=state.decide_reached,
        unconfirmed_rules=state.unconfirmed_rules,
        clock=state.late.clock if state.late is not None and state.looks_again_for else None,
        withdrawn=state.known.withdrawn,
        look_again=state.looks_again_for,  # type: ignore[arg-type]  # an int of the enum
        came_back=[
            triage_pb2.CameBackLeg(leg_id=back.leg_id, service=back.service, reason=back.reason)
            for back in state.came_back.values()
        ],
    )
    if raised is not None:
        item.kinds.extend(raised.kinds)
        item.area = raised.area
    return item
