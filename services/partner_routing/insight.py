"""gRPC in: figures over the facts, and each partner's own service levels."""

from __future__ import annotations

from collections.abc import Callable, Collection

import grpc

from safeguarding.v1 import access_pb2, insight_pb2, insight_pb2_grpc
from services.chassis.calls import caller
from services.chassis.service import Parts
from services.partner_routing.domain import State
from services.partner_routing.figures import own_service, plan
from services.partner_routing.views import Referrals
from services.tables import figure_of


class InsightApi(insight_pb2_grpc.InsightServicer):
    """Counts; nobody is named, and small numbers are masked."""

    def __init__(self, parts: Parts[State], areas: Callable[[], Collection[str]]) -> None:
        """`areas` are the codes of all coarse areas, so that one without a referral is not seen by its absence."""
        self._parts = parts
        self._areas = areas
        self._referrals = Referrals(parts.collection)

    def GetFigure(  # noqa: N802 - the RPC's name
        self, request: insight_pb2.GetFigureRequest, context: grpc.ServicerContext
    ) -> insight_pb2.GetFigureResponse:
        """One figure of one quarter."""
        found = figure_of(plan(request.figure, self._areas()), self._referrals.counted(request.quarter))
        self._record("Insight/GetFigure", "figures")
        return found

    def GetOwnService(  # noqa: N802 - the RPC's name
        self, request: insight_pb2.GetOwnServiceRequest, context: grpc.ServicerContext
    ) -> insight_pb2.GetOwnServiceResponse:
        """The partner's own service levels."""
        found = own_service(caller().id, self._referrals.counted(request.quarter))
        self._record("Insight/GetOwnService", "own_service")
        return found

    def _record(self, method: str, reason: str) -> None:
        self._parts.access.record(caller(), access_pb2.ACCESS_KIND_SEARCHED, method, reason=reason, referral_ids=[])
