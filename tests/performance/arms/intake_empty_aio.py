"""An empty handler on grpc.aio."""

from __future__ import annotations

from typing import Any

from safeguarding.v1 import intake_pb2
from tests.performance.arms.serving import OtherRpcs, serve_by_asyncio


class Empty(OtherRpcs):
    """Answers at once."""

    async def RaiseConcern(  # type: ignore[override]  # noqa: N802 - grpc.aio awaits what the other kind calls
        self, request: intake_pb2.RaiseConcernRequest, context: Any
    ) -> intake_pb2.RaiseConcernResponse:
        """Do nothing."""
        return intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key)


if __name__ == "__main__":
    serve_by_asyncio(Empty())
