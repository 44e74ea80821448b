"""gRPC in: auditors' queries. Each leaves an access fact before anything is answered."""

from __future__ import annotations

import grpc

from safeguarding.v1 import access_pb2, audit_pb2, audit_pb2_grpc
from services.audit.views import Views
from services.chassis.access import Access
from services.chassis.calls import caller
from services.chassis.deciding import Refused, Why


class AuditApi(audit_pb2_grpc.AuditServicer):
    """What auditors and protection officers ask."""

    def __init__(self, views: Views, access: Access) -> None:
        self._views = views
        self._access = access

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
        """Records by what they have in common."""
        entries, more = self._views.search(request)
        self._access.record(
            caller(),
            access_pb2.ACCESS_KIND_SEARCHED,
            "Audit/Search",
            reason=request.reason,
            referral_ids=sorted({entry.referral_id for entry in entries if entry.referral_id}),
        )
        return audit_pb2.SearchResponse(entries=entries, more=more)
