"""An empty handler on the server that the services use: what its three events a call cost, and gRPC below them."""

from __future__ import annotations

from safeguarding.v1 import intake_pb2
from services.chassis.arrivals import Served
from services.chassis.calls import Guarded
from tests.performance.arms.as_services import serve_as_services
from tests.performance.arms.serving import OtherRpcs


def take(served: Served, _: Guarded, raw: bytes) -> None:
    """Do nothing but read the request, on the thread on which gRPC gives it."""
    request = intake_pb2.RaiseConcernRequest.FromString(raw)
    served.answer(intake_pb2.RaiseConcernResponse(referral_id=request.idempotency_key))


if __name__ == "__main__":
    serve_as_services(OtherRpcs(), take)
