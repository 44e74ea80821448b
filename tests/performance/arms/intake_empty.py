"""An empty handler: what gRPC itself costs, by whichever server it is told of."""

from __future__ import annotations

from typing import Any

import grpc

from safeguarding.v1 import intake_pb2
from services.chassis.arrivals import Served
from services.chassis.calls import Guarded
from tests.performance.arms.serving import OtherRpcs, serve, serve_as_services, serve_by_asyncio
from tests.performance.arms.told import told


class Empty(OtherRpcs):
    """Answers at once."""

    def RaiseConcern(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RaiseConcernRequest, context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernResponse:
        """Do nothing."""
        return intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key)


class EmptyByAsyncio(Empty):
    """The same on an event loop."""

    async def RaiseConcern(  # type: ignore[override]  # noqa: N802 - grpc.aio awaits what the others call
        self, request: intake_pb2.RaiseConcernRequest, context: Any
    ) -> intake_pb2.RaiseConcernResponse:
        """Do nothing."""
        return intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key)


def take(served: Served, _: Guarded, raw: bytes) -> None:
    """Do nothing, on the thread on which gRPC gives the call."""
    request = intake_pb2.RaiseConcernRequest.FromString(raw)
    served.answer(intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key))


def main() -> None:
    """Serve until ended."""
    match told()["server"]:
        case "grpc":
            serve(Empty())
        case "grpc.aio":
            serve_by_asyncio(EmptyByAsyncio())
        case "services":
            serve_as_services(Empty(), take)


if __name__ == "__main__":
    main()
