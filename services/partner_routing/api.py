"""gRPC in: raisers' outcomes, the desk's decisions on legs, and journeys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc

from safeguarding.v1 import access_pb2, routing_pb2, routing_pb2_grpc
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import Sealed
from safeguarding.v1.intake_pb2 import ReferralState
from services.chassis.calls import caller
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Answer
from services.chassis.engine.document import Document
from services.chassis.keys import Keys
from services.chassis.service import Parts
from services.partner_routing.area import Snapshot
from services.partner_routing.domain import State
from services.partner_routing.domain.telling import outcome_words
from services.partner_routing.notes import sealed_note
from services.partner_routing.preview import have_it, previewed
from services.partner_routing.views import Referrals, in_words, journey, stated_clocks

RELEASED_TOGETHER = 200
"""Referrals of a partner that leaves: a turn's worth, so that others' commands still have room, however many it has."""


class RoutingApi(routing_pb2_grpc.RoutingServicer):
    """Journeys and outcomes."""

    def __init__(self, parts: Parts[State], area: Callable[[], Snapshot], keys: Keys) -> None:
        self._parts = parts
        self._keys = keys
        self._area = area
        self._referrals = Referrals(parts.collection)

    def ReadOutcome(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ReadOutcomeRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ReadOutcomeResponse:
        """Read the outcome of one's own referral; reading it is being told."""
        identity = caller()
        document = self._referrals.find(request.referral_id)
        state = document.state if document is not None else State()
        if state.asked.hidden or not state.known.raised_by(identity.actor()):
            raise Refused(
                Why.UNKNOWN, "no such referral of yours", "name a referral that you raised", field="referral_id"
            )
        # First the look, then the fact that they were told: where the broker is away, nobody counts as told.
        self._parts.access.record(
            identity,
            access_pb2.ACCESS_KIND_VIEWED,
            "Routing/ReadOutcome",
            reason="own_concern",
            referral_ids=[request.referral_id],
        )
        # Each round's outcome is read, and told, for itself.
        key = f"read-outcome/{state.round}" if state.round else "read-outcome"
        state = self._submit(request.referral_id, key, request, context).state
        return routing_pb2.ReadOutcomeResponse(
            state=_where(state),
            outcome_known=state.outcome_known,
            words=outcome_words(state, identity.role),
        )

    def RecordTold(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.RecordToldRequest, context: grpc.ServicerContext
    ) -> routing_pb2.RecordToldResponse:
        """Record that the desk told someone, or why not."""
        answer = self._submit(request.referral_id, request.idempotency_key, request, context)
        return routing_pb2.RecordToldResponse(state=_where(answer.state))

    def Recall(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.RecallRequest, context: grpc.ServicerContext
    ) -> routing_pb2.RecallResponse:
        """Take a leg back."""
        answer = self._submit(request.referral_id, request.idempotency_key, request, context)
        return routing_pb2.RecallResponse(state=answer.state.legs[request.leg_id].state)  # type: ignore[arg-type]

    def Shield(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ShieldRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ShieldResponse:
        """Hide something from a party, or take that back."""
        state = self._submit(request.referral_id, request.idempotency_key, request, context).state
        return routing_pb2.ShieldResponse(leg_ids_that_have_it=have_it(state, request.shield))

    def RecordVictimStep(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.RecordVictimStepRequest, context: grpc.ServicerContext
    ) -> routing_pb2.RecordVictimStepResponse:
        """Record a step of a victim's journey."""
        sealed = self._sealed(request.referral_id, request.safe_times) if request.safe_times else None
        state = self._submit(request.referral_id, request.idempotency_key, request, context, sealed).state
        return routing_pb2.RecordVictimStepResponse(update_by=state.victims[request.step.subject].update_by)

    def PreviewDisclosure(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.PreviewDisclosureRequest, context: grpc.ServicerContext
    ) -> routing_pb2.PreviewDisclosureResponse:
        """Say what a partner would be told, without telling it."""
        document = self._shown(request.referral_id)
        found = previewed(self._area(), document.state, request, datetime.now(UTC))
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Routing/PreviewDisclosure",
            reason="preview",
            referral_ids=[request.referral_id],
        )
        return found

    def GetJourney(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.GetJourneyRequest, context: grpc.ServicerContext
    ) -> routing_pb2.GetJourneyResponse:
        """Read the whole journey."""
        document = self._shown(request.referral_id)
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Routing/GetJourney",
            reason="journey",
            referral_ids=[request.referral_id],
        )
        found = journey(document)
        area = self._area()
        found.stated.extend(stated_clocks(found, area.clocks, document.state.known.council))
        in_words(found, area.victims)
        return found

    def ReleasePartner(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ReleasePartnerRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ReleasePartnerResponse:
        """Expire and reroute the open legs of a partner that leaves."""
        # Read to the end first: what is released is not found any more.
        named = [
            (document.id, f"release/{request.partner_id}/{document.state.sequence}")
            for document in self._referrals.of_partner(request.partner_id)
        ]
        legs = 0
        for first in range(0, len(named), RELEASED_TOGETHER):
            together = named[first : first + RELEASED_TOGETHER]
            commands = [self._parts.commands.make(caller(), key, request, id) for id, key in together]
            for future in self._parts.engine.submit(commands):
                legs += sum(fact.WhichOneof("fact") == "expired" for fact in answered(future, context).facts)
        return routing_pb2.ReleasePartnerResponse(legs=legs)

    def _shown(self, referral_id: str) -> Document[State]:
        """The referral, unless it is hidden from the caller."""
        document = self._referrals.find(referral_id)
        state = document.state if document is not None else State()
        unseen = state.asked.hidden and caller().role == ROLE_TRIAGE
        if document is None or state.known.raised is None or unseen:
            raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
        return document

    def _sealed(self, referral_id: str, words: str) -> Sealed:
        """Personal words, sealed before anything else sees them."""
        document = self._referrals.find(referral_id)
        leads = document is not None and caller().id in {
            leg.partner_id for leg in document.state.current if leg.offered.lead
        }
        if document is None or (caller().role == ROLE_PARTNER and not leads):
            raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
        return sealed_note(self._keys, document, words, "safe_times")

    def _submit(
        self, referral_id: str, key: str, request: Any, context: grpc.ServicerContext, sealed: Sealed | None = None
    ) -> Answer[State]:
        command = self._parts.commands.make(caller(), key, request, referral_id, sealed=sealed)
        [future] = self._parts.engine.submit([command])
        return answered(future, context)


def _where(state: State) -> ReferralState.ValueType:
    return state.where  # type: ignore[return-value]  # an int of the enum
