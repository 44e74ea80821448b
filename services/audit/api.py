"""gRPC in: queries and receipts. What tells of a referral leaves an access fact before it is answered."""

from __future__ import annotations

import grpc

from safeguarding.v1 import access_pb2, audit_pb2, audit_pb2_grpc
from services.audit.log import tiles
from services.audit.published import Published
from services.audit.receipts import find
from services.audit.views import Views
from services.chassis.access import Access
from services.chassis.calls import caller
from services.chassis.deciding import Refused, Why


class AuditApi(audit_pb2_grpc.AuditServicer):
    """What auditors and protection officers ask; and the receipts of everyone who has a part in a referral."""

    def __init__(self, views: Views, access: Access, published: Published) -> None:
        self._views = views
        self._access = access
        self._published = published

    def Timeline(  # noqa: N802 - the RPC's name
        self, request: audit_pb2.TimelineRequest, context: grpc.ServicerContext
    ) -> audit_pb2.TimelineResponse:
        """All records about a referral."""
        referral_id = request.referral_id.lower()  # as all write it; a UUID may come in either case
        entries = self._views.timeline(referral_id)
        if not entries:
            raise Refused(
                Why.UNKNOWN, "no record names this referral", "name a referral that was raised", field="referral_id"
            )
        self._access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Audit/Timeline",
            reason=request.reason,
            referral_ids=[referral_id],
        )
        return audit_pb2.TimelineResponse(entries=entries)

    def Search(  # noqa: N802 - the RPC's name
        self, request: audit_pb2.SearchRequest, context: grpc.ServicerContext
    ) -> audit_pb2.SearchResponse:
        """Records by what they have in common, and the checkpoint of a log that holds them all."""
        found = self._views.search(request)
        # Read after the index, which is never ahead of the log.
        checkpoint, _ = self._published.checkpoint()
        touched = {entry.referral_id for entry in found.entries if entry.referral_id}
        self._access.record(
            caller(),
            access_pb2.ACCESS_KIND_EXPORTED if request.export else access_pb2.ACCESS_KIND_SEARCHED,
            "Audit/Search",
            reason=request.reason,
            referral_ids=sorted(touched | ({request.referral_id.lower()} if request.referral_id else set())),
        )
        return audit_pb2.SearchResponse(
            entries=found.entries,
            more=bool(found.next_page),
            next_page=found.next_page,
            checkpoint=checkpoint,
            searched=found.searched,
        )

    def GetReceipt(  # noqa: N802 - the RPC's name
        self, request: audit_pb2.GetReceiptRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetReceiptResponse:
        """Proof that the log holds a fact that the caller may see."""
        found = find(self._views, request.event_id, caller())
        self._access.record(
            caller(),
            access_pb2.ACCESS_KIND_VIEWED,
            "Audit/GetReceipt",
            reason="receipt",
            referral_ids=[found.referral_id] if found.referral_id else [],
        )
        return audit_pb2.GetReceiptResponse(receipt=self._published.receipt(found.place))

    def GetConsistency(  # noqa: N802 - the RPC's name
        self, request: audit_pb2.GetConsistencyRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetConsistencyResponse:
        """Proof that the log only grew. It tells of no referral."""
        try:
            proof = self._published.consistency(request.first, request.second)
        except ValueError as error:
            right = "give the sizes of two checkpoints, the earlier one first"
            raise Refused(Why.INVALID, str(error), right, field="second") from None
        return audit_pb2.GetConsistencyResponse(proof=proof)

    def GetEntries(  # noqa: N802 - the RPC's name
        self, request: audit_pb2.GetEntriesRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetEntriesResponse:
        """One bundle of entries."""
        entries, checkpoint = self._published.bundle(request.bundle)
        self._access.record(
            caller(), access_pb2.ACCESS_KIND_EXPORTED, "Audit/GetEntries", reason=request.reason, referral_ids=[]
        )
        return audit_pb2.GetEntriesResponse(bundle=tiles.pack(entries), count=len(entries), checkpoint=checkpoint)
