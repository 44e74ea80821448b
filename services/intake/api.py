"""gRPC in: raisers' commands and queries. Personal parts are sealed here, before anything else sees them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from safeguarding.v1 import access_pb2, intake_pb2, intake_pb2_grpc
from safeguarding.v1.common_pb2 import FieldGroup
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis import checking
from services.chassis.calls import caller, promptly
from services.chassis.commanding import answered
from services.chassis.deciding import Command, Refused, Why
from services.chassis.engine import Answer
from services.chassis.engine.document import Document
from services.chassis.errors import Violation
from services.chassis.identity import Identity
from services.chassis.ids import naming
from services.chassis.later import Later
from services.chassis.sealing import KeyWrapper, open_part
from services.chassis.service import Parts
from services.intake.bulk import Bulk, reference, tell
from services.intake.domain import State
from services.intake.linking import Linker
from services.intake.sealed import Sealer, has, openable, opened, unwrapped
from services.intake.views import Referrals

REFERRALS = uuid.UUID("0d3f1f0e-53f5-5d0f-9a3e-7a4f1b6f4f0a")
"""Namespace of referral ids."""
_referral_named = naming(REFERRALS)
MOST_TOGETHER = 100
"""Concerns of one message, as RaiseConcernsRequest states."""
READERS = 8
"""Reads of wrapped keys at once."""


class IntakeApi(intake_pb2_grpc.IntakeServicer):
    """Raisers' front door."""

    def __init__(
        self, parts: Parts[State], wrapper: KeyWrapper, linker: Linker, areas: Callable[[], Collection[str]]
    ) -> None:
        """`areas` are the codes of the coarse areas that a concern may name."""
        self._parts = parts
        self._wrapper = wrapper
        self._linker = linker
        self._areas = areas
        self._referrals = Referrals(parts.collection)

    @promptly
    def RaiseConcern(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RaiseConcernRequest, context: grpc.ServicerContext
    ) -> Any:
        """Record a concern."""
        wrong = self._wrong_area(request)
        if wrong is not None:
            raise Refused(Why.INVALID, "there is no such area", wrong.right, field=wrong.field)
        [future] = self._parts.engine.submit([self._raising(caller(), request)])
        return Later(future, _raised)

    def RaiseConcerns(  # noqa: N802 - the RPC's name
        self, request_iterator: Iterator[intake_pb2.RaiseConcernsRequest], context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernsResponse:
        """Record concerns in bulk; each stands alone, in the order they came."""
        identity, bulk = caller(), Bulk(context)
        for message in request_iterator:
            together = message.concerns[:]  # as a list of its own: see surely.py
            bulk.came(len(together))
            right: list[intake_pb2.RaiseConcernRequest] = []
            for request in together:
                wrong = self._wrong(request, len(together))
                if wrong is not None:
                    bulk.refuse(request.idempotency_key, Why.INVALID, wrong.right, wrong.field)
                else:
                    right.append(request)
            futures = self._parts.engine.submit([self._raising(identity, request) for request in right])
            bulk.wait(zip([request.idempotency_key for request in right], futures, strict=True))
        return bulk.answer()

    def Amend(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.AmendRequest, context: grpc.ServicerContext
    ) -> intake_pb2.AmendResponse:
        """Replace parts of one's own concern."""
        document, sealer = self._own(request.referral_id)
        state = document.state
        amended = intake_pb2.Amended(kinds=request.kinds)
        if request.HasField("signs"):
            amended.signs.CopyFrom(request.signs)
        for name, group in (
            ("narrative", FieldGroup.FIELD_GROUP_NARRATIVE),
            ("place", FieldGroup.FIELD_GROUP_PLACE),
        ):
            if has(request, name):
                amended.parts.append(sealer.part(request, name, state.known.next_version(group)))
        if request.HasField("place"):
            version = state.known.next_version(FieldGroup.FIELD_GROUP_MATCH)
            amended.parts.extend(sealer.place_keys(request.place, version))
        amended.subjects.extend(sealer.subjects(request.further_subjects, first=len(state.known.subjects) + 1))
        answer = self._command(request, amended, sealer, context)
        return intake_pb2.AmendResponse(event_id=_event_id(answer), sequence=_sequence(answer))

    def SupplyInformation(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.SupplyInformationRequest, context: grpc.ServicerContext
    ) -> intake_pb2.SupplyInformationResponse:
        """Add information to one's own concern."""
        document, sealer = self._own(request.referral_id)
        version = document.state.known.next_version(FieldGroup.FIELD_GROUP_NARRATIVE)
        supplied = intake_pb2.InformationSupplied(information=sealer.narrative(request.information, version))
        if request.HasField("signs"):
            supplied.signs.CopyFrom(request.signs)
        answer = self._command(request, supplied, sealer, context)
        return intake_pb2.SupplyInformationResponse(event_id=_event_id(answer), sequence=_sequence(answer))

    def Withdraw(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.WithdrawRequest, context: grpc.ServicerContext
    ) -> intake_pb2.WithdrawResponse:
        """Withdraw one's own concern."""
        answer = self._command(request, None, None, context)
        return intake_pb2.WithdrawResponse(event_id=_event_id(answer), sequence=_sequence(answer))

    def GetReferral(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.GetReferralRequest, context: grpc.ServicerContext
    ) -> intake_pb2.GetReferralResponse:
        """Read one's own concern and where it stands."""
        document, keys = self._find(caller(), request.referral_id)
        state = document.state
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Intake/GetReferral",
            reason="own_concern",
            referral_ids=[request.referral_id],
        )
        response = intake_pb2.GetReferralResponse(
            referral_id=request.referral_id,
            reference=reference(request.referral_id),
            state=state.where,  # type: ignore[arg-type]  # an int of the enum
            raised_at=state.known.raised_at,
            sequence=state.known.sequence,
            concern=opened(state.known, request.referral_id, keys),
        )
        asked = [
            (question.text, each.answer_by)
            for each in state.open_questions
            if (question := open_part(keys, request.referral_id, each.question, Narrative)) is not None
        ]
        if asked:
            response.question = "\n".join(text for text, _ in asked)
            response.answer_by.CopyFrom(asked[0][1])
        return response

    def _wrong(self, request: intake_pb2.RaiseConcernRequest, together: int) -> Violation | None:
        """What is wrong with one concern of a message of so many, which was not checked before."""
        if together > MOST_TOGETHER:
            return Violation("concerns", f"send at most {MOST_TOGETHER} concerns in one message")
        found = checking.violations(request)
        return found[0] if found else self._wrong_area(request)

    def _wrong_area(self, request: intake_pb2.RaiseConcernRequest) -> Violation | None:
        areas = self._areas()
        if request.concern.area in areas:
            return None
        return Violation("concern.area", f"name one of {', '.join(sorted(areas))}")

    def _raising(self, identity: Identity, request: intake_pb2.RaiseConcernRequest) -> Command:
        referral_id = referral_id_of(identity, request.idempotency_key)
        sealer = Sealer(self._wrapper, self._linker, referral_id, {})
        raised = sealer.raised(request.concern)
        return self._parts.commands.make(
            identity,
            request.idempotency_key,
            request,
            referral_id,
            sealed=raised,
            keeps=sealer.wrapped,
            creates=True,
        )

    def _command(
        self, request: Any, sealed: Any, sealer: Sealer | None, context: grpc.ServicerContext
    ) -> Answer[State]:
        command = self._parts.commands.make(
            caller(),
            request.idempotency_key,
            request,
            request.referral_id,
            seen_sequence=request.seen_sequence,
            sealed=sealed,
            keeps=sealer.wrapped if sealer else {},
        )
        [future] = self._parts.engine.submit([command])
        return answered(future, context)

    def _own(self, referral_id: str) -> tuple[Document[State], Sealer]:
        document, keys = self._find(caller(), referral_id)
        return document, Sealer(
            self._wrapper, self._linker, referral_id, keys, narrative_key=document.state.known.narrative_key
        )

    def _find(self, identity: Identity, referral_id: str) -> tuple[Document[State], dict[str, bytes]]:
        """The caller's own referral; foreign and absent answer alike."""
        found = self._referrals.find(referral_id)
        if found is None or not found[0].state.shown_to(identity.actor()):
            raise Refused(
                Why.UNKNOWN, "no such referral of yours", "name a referral that you raised", field="referral_id"
            )
        return found[0], unwrapped(self._wrapper, referral_id, found[1])


class KeysApi(intake_pb2_grpc.KeysServicer):
    """Opens data keys for our own services."""

    def __init__(self, parts: Parts[State], wrapper: KeyWrapper) -> None:
        self._parts = parts
        self._wrapper = wrapper
        self._referrals = Referrals(parts.collection)
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="keys")

    def Open(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.OpenRequest, context: grpc.ServicerContext
    ) -> intake_pb2.OpenResponse:
        """Open the keys of a whole batch."""
        # Side by side: the broker must hold the look before a key leaves, not before it is read.
        reading = self._reading.submit(self._referrals.keys, request.referral_ids)
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_KEYS_OPENED,
            "Keys/Open",
            reason=request.purpose,
            referral_ids=sorted(set(request.referral_ids)),
        )
        response = intake_pb2.OpenResponse()
        for referral_id, keys in reading.result().items():
            for key_id, key in openable(self._wrapper, referral_id, keys).items():
                response.keys.add(referral_id=referral_id, key_id=key_id, key=key)
        return response


def in_danger(request: Any) -> bool:
    """Whether a request says that someone is in danger now."""
    if isinstance(request, intake_pb2.RaiseConcernRequest):
        request = request.concern
    elif not isinstance(request, intake_pb2.AmendRequest | intake_pb2.SupplyInformationRequest):
        return False
    return bool(request.signs.immediate_danger)


def referral_id_of(identity: Identity, idempotency_key: str) -> str:
    """The referral that this caller's key names: a client that retries after any failure gets one referral."""
    return _referral_named(f"{identity.role_name}/{identity.id}/{idempotency_key}")


def _raised(answer: Answer[State]) -> intake_pb2.RaiseConcernResponse:
    return tell(answer, intake_pb2.RaiseConcernResponse())


def _event_id(answer: Answer[State]) -> str:
    event_id: str = answer.facts[-1].header.event_id
    return event_id


def _sequence(answer: Answer[State]) -> int:
    sequence: int = answer.facts[-1].header.sequence
    return sequence
