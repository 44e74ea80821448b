"""gRPC in: erasure, as data-protection officers review, ask for and decide it."""

from __future__ import annotations

from typing import Any

import grpc

from safeguarding.v1 import access_pb2, concern_pb2, intake_pb2, intake_pb2_grpc
from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis.calls import caller
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Answer
from services.chassis.engine.document import Document
from services.chassis.sealing import KeyWrapper, unseal
from services.chassis.service import Parts
from services.intake.domain import State
from services.intake.domain.erasing import keys_of, next_narrative_key, path_of, subject_key
from services.intake.equality import Answers
from services.intake.linking import Linker
from services.intake.sealed import PARTS, Sealer, unwrapped
from services.intake.views import Referrals


class ProtectionApi(intake_pb2_grpc.ProtectionServicer):
    """What only role protection may do."""

    def __init__(self, parts: Parts[State], wrapper: KeyWrapper, linker: Linker, answers: Answers) -> None:
        self._parts = parts
        self._wrapper = wrapper
        self._linker = linker
        self._answers = answers
        self._referrals = Referrals(parts.collection)

    def ReviewErasure(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.ReviewErasureRequest, context: grpc.ServicerContext
    ) -> intake_pb2.ReviewErasureResponse:
        """What there is to redact and to decide."""
        document, keys = self._find(request.referral_id)
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Protection/ReviewErasure",
            reason="erasure",
            referral_ids=[request.referral_id],
            groups=[FieldGroup.FIELD_GROUP_IDENTITY, FieldGroup.FIELD_GROUP_NARRATIVE],
        )
        known, said = document.state.known, document.state.protected
        texts = _texts(document.id, known.narratives, keys)
        response = intake_pb2.ReviewErasureResponse(
            narratives=texts,
            held=said.held,
            requested=said.requested,
            request_event_id=said.request_event_id,
            requested_by=said.requested_by,
            sequence=known.sequence,
        )
        if said.requested is not None:
            left = [part for part in said.requested.parts if part.group == FieldGroup.FIELD_GROUP_NARRATIVE]
            response.redacted = "\n".join(_texts(document.id, left, keys))
        for number, subject in sorted(known.subjects.items()):
            shown = response.subjects.add(number=number, role=subject.role, erased=subject_key(number) in known.erased)
            for part in subject.parts:
                if part.group == FieldGroup.FIELD_GROUP_IDENTITY and part.key_id in keys:
                    shown.identity.CopyFrom(unseal(keys[part.key_id], document.id, part, concern_pb2.Identity))
        return response

    def RequestErasure(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RequestErasureRequest, context: grpc.ServicerContext
    ) -> intake_pb2.RequestErasureResponse:
        """Seal what is to be left under a new key; destroy nothing yet."""
        document, keys = self._find(request.referral_id)
        known = document.state.known
        key_id = next_narrative_key(known, document.state.erasures_requested)
        sealer = Sealer(self._wrapper, self._linker, document.id, keys, narrative_key=key_id)
        requested = intake_pb2.ErasureRequested(subject=request.subject, ground=request.ground, narrative_key_id=key_id)
        if request.redacted.text:
            requested.parts.append(sealer.narrative(request.redacted, known.next_version(_NARRATIVE)))
        for group, _, kind in PARTS.values():
            latest = known.latest(group)
            if group in request.keep and latest is not None:
                content = unseal(keys[latest.key_id], document.id, latest, kind)
                requested.parts.append(sealer.sealed(key_id, group, known.next_version(group), content))
        sealer.make(key_id)  # also where nothing is left: notes that are written later need one
        answer = self._command(request, context, sealed=requested, keeps=sealer.wrapped)
        return intake_pb2.RequestErasureResponse(event_id=_last(answer).event_id, sequence=_last(answer).sequence)

    def DecideErasure(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.DecideErasureRequest, context: grpc.ServicerContext
    ) -> intake_pb2.DecideErasureResponse:
        """Destroy the keys in the same save in which the fact is recorded."""
        document, _ = self._find(request.referral_id)
        state = document.state
        waits = state.protected.requested
        # The decider holds that this very request waits, so what goes is what it names.
        drops = [path_of(key_id) for key_id in keys_of(state.known, waits.subject)] if waits and request.agreed else []
        answer = self._command(request, context, drops=drops)
        if request.agreed:  # also where the same decision comes again: then nothing is there any more
            self._answers.forget(document.id)
        return intake_pb2.DecideErasureResponse(event_id=_last(answer).event_id, sequence=_last(answer).sequence)

    def SetHold(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.SetHoldRequest, context: grpc.ServicerContext
    ) -> intake_pb2.SetHoldResponse:
        """Place or lift a legal hold."""
        self._find(request.referral_id)
        answer = self._command(request, context)
        return intake_pb2.SetHoldResponse(event_id=_last(answer).event_id, sequence=_last(answer).sequence)

    def _command(self, request: Any, context: grpc.ServicerContext, **more: Any) -> Answer[State]:
        command = self._parts.commands.make(caller(), request.idempotency_key, request, request.referral_id, **more)
        [future] = self._parts.engine.submit([command])
        return answered(future, context)

    def _find(self, referral_id: str) -> tuple[Document[State], dict[str, bytes]]:
        found = self._referrals.find(referral_id)
        if found is None or found[0].state.known.raised is None:
            raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
        return found[0], unwrapped(self._wrapper, referral_id, found[1])


_NARRATIVE = FieldGroup.FIELD_GROUP_NARRATIVE


def _texts(referral_id: str, parts: Any, keys: dict[str, bytes]) -> list[str]:
    found: list[Sealed] = [part for part in parts if part.key_id in keys]
    return [unseal(keys[part.key_id], referral_id, part, Narrative).text for part in found]


def _last(answer: Answer[State]) -> Any:
    return answer.facts[-1].header
