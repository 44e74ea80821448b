"""An empty handler on gRPC's synchronous server."""

from __future__ import annotations

import grpc

from safeguarding.v1 import intake_pb2
from tests.performance.arms.serving import OtherRpcs, serve


class Empty(OtherRpcs):
    """Answers at once."""

    def RaiseConcern(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RaiseConcernRequest, context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernResponse:
        """Do nothing."""
        return intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key)


if __name__ == "__main__":
    serve(Empty())
