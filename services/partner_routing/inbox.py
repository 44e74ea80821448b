"""gRPC in: the inbox of partners without Kafka. Each answer has the same effect as a reply on the partner's topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import grpc

from safeguarding.v1 import access_pb2, partner_pb2, routing_pb2, routing_pb2_grpc
from safeguarding.v1.common_pb2 import Sealed
from safeguarding.v1.routing_pb2 import LegState
from services.chassis.calls import caller
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine.document import Document
from services.chassis.keys import Keys
from services.chassis.service import Parts
from services.lifecycle import STATE_OF_FACT
from services.partner_routing.area import Snapshot
from services.partner_routing.copies import offer_now
from services.partner_routing.domain import State
from services.partner_routing.domain.replies import own_leg
from services.partner_routing.notes import sealed_note
from services.partner_routing.views import Referrals, inbox


class InboxApi(routing_pb2_grpc.PartnerInboxServicer):
    """What one partner sees and says; it never learns of another's leg."""

    def __init__(self, parts: Parts[State], keys: Keys, area: Callable[[], Snapshot]) -> None:
        self._parts = parts
        self._area = area
        self._keys = keys
        self._referrals = Referrals(parts.collection)

    def List(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ListRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ListResponse:
        """The partner's own open legs."""
        partner_id = caller().id
        items = inbox(self._referrals.most_urgent(partner_id, request.limit), partner_id, request.limit)
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_SEARCHED,
            "PartnerInbox/List",
            reason="own_legs",
            referral_ids=[item.referral_id for item in items],
        )
        return routing_pb2.ListResponse(items=items)

    def OpenCopy(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.OpenCopyRequest, context: grpc.ServicerContext
    ) -> routing_pb2.OpenCopyResponse:
        """The copy of one leg, as a partner with Kafka would find it."""
        identity = caller()
        document = self._find(request.referral_id)
        leg = own_leg(document.state, request.leg_id, identity.id)
        if leg.state in (LegState.LEG_STATE_EXPIRED, LegState.LEG_STATE_RECALLED):
            raise Refused(Why.ILLEGAL, "the leg is no longer yours", "list your open legs", field="leg_id")
        keys = self._keys.open([document.id])[document.id]
        copy = partner_pb2.Copy(
            partner_id=identity.id,
            leg_id=leg.id,
            event_id=_offered_event_id(document, leg.id),
            referral_id=document.id,
            offer=offer_now(document.state, leg, self._area(), datetime.now(UTC), keys, document.id),
        )
        copy.occurred_at.FromDatetime(leg.offered_at)
        self._parts.access.record(
            identity,
            access_pb2.ACCESS_KIND_DISCLOSED,
            "PartnerInbox/OpenCopy",
            reason=leg.offered.purpose,
            referral_ids=[document.id],
            groups=copy.offer.given,
            leg_id=leg.id,
        )
        return routing_pb2.OpenCopyResponse(copy=copy)

    def Acknowledge(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.AcknowledgeRequest, context: grpc.ServicerContext
    ) -> routing_pb2.AcknowledgeResponse:
        """The partner has it."""
        return routing_pb2.AcknowledgeResponse(state=self._say(request, context))

    def Accept(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.AcceptRequest, context: grpc.ServicerContext
    ) -> routing_pb2.AcceptResponse:
        """The partner takes it on."""
        return routing_pb2.AcceptResponse(state=self._say(request, context))

    def Decline(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.DeclineRequest, context: grpc.ServicerContext
    ) -> routing_pb2.DeclineResponse:
        """The partner does not take it on."""
        return routing_pb2.DeclineResponse(state=self._say(request, context))

    def Progress(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ProgressRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ProgressResponse:
        """Work goes on, or rests."""
        return routing_pb2.ProgressResponse(state=self._say(request, context))

    def Complete(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.CompleteRequest, context: grpc.ServicerContext
    ) -> routing_pb2.CompleteResponse:
        """The work is done."""
        return routing_pb2.CompleteResponse(state=self._say(request, context))

    def Fail(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.FailRequest, context: grpc.ServicerContext
    ) -> routing_pb2.FailResponse:
        """The work could not be done."""
        return routing_pb2.FailResponse(state=self._say(request, context))

    def Tell(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.TellRequest, context: grpc.ServicerContext
    ) -> routing_pb2.TellResponse:
        """The outcome was told, or why not."""
        return routing_pb2.TellResponse(state=self._say(request, context))

    def AskRaiser(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.AskRaiserRequest, context: grpc.ServicerContext
    ) -> routing_pb2.AskRaiserResponse:
        """The partner wants to know more than it was told."""
        return routing_pb2.AskRaiserResponse(state=self._say(request, context))

    def AcknowledgeRecall(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.AcknowledgeRecallRequest, context: grpc.ServicerContext
    ) -> routing_pb2.AcknowledgeRecallResponse:
        """The partner stopped its work after a recall."""
        return routing_pb2.AcknowledgeRecallResponse(state=self._say(request, context))

    def ConfirmErasure(  # noqa: N802 - the RPC's name
        self, request: routing_pb2.ConfirmErasureRequest, context: grpc.ServicerContext
    ) -> routing_pb2.ConfirmErasureResponse:
        """The partner deleted what it held of the erased subjects."""
        return routing_pb2.ConfirmErasureResponse(state=self._say(request, context))

    def _say(self, request: Any, context: grpc.ServicerContext) -> LegState.ValueType:
        said: routing_pb2.InboxCommand = request.command
        command = self._parts.commands.make(
            caller(), said.idempotency_key, request, said.referral_id, sealed=self._sealed(said)
        )
        [future] = self._parts.engine.submit([command])
        answer = answered(future, context)
        return _state_after(answer.facts, said.leg_id) or answer.state.legs[said.leg_id].state  # type: ignore[return-value]

    def _sealed(self, said: routing_pb2.InboxCommand) -> Sealed | None:
        """The partner's words, sealed before anything else sees them."""
        if not said.note:
            return None
        document = self._find(said.referral_id)
        own_leg(document.state, said.leg_id, caller().id)
        return sealed_note(self._keys, document, said.note, "command.note")

    def _find(self, referral_id: str) -> Document[State]:
        """The referral; foreign and absent answer alike, as own_leg does."""
        document = self._referrals.find(referral_id)
        if document is None:
            raise Refused(Why.UNKNOWN, "foreign_leg", "name a leg that was offered to you", field="leg_id")
        return document


def _state_after(facts: Sequence[Any], leg_id: str) -> int:
    """Where these facts brought the leg, so that a repeat has the first answer; 0 where they did not move it."""
    kinds = ((fact, fact.WhichOneof("fact")) for fact in facts)
    moves = [
        STATE_OF_FACT[kind] for fact, kind in kinds if kind in STATE_OF_FACT and getattr(fact, kind).leg_id == leg_id
    ]
    return moves[-1] if moves else 0


def _offered_event_id(document: Document[State], leg_id: str) -> str:
    offered = (fact for fact in document.own if fact.WhichOneof("fact") == "offered" and fact.offered.leg_id == leg_id)
    return str(next(offered).header.event_id)
