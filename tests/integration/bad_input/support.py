"""What these tests share: a concern that is routed at once, and short ways to call and to look at refusals."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_status import rpc_status

from safeguarding.v1 import common_pb2, concern_pb2, routing_pb2
from tests.integration.house import CALL_SECONDS, new_key, refused


def abuse() -> concern_pb2.Concern:
    """A concern that the rules route at once, to a partner without Kafka among others."""
    return concern_pb2.Concern(
        kinds=[common_pb2.CONCERN_KIND_DOMESTIC_ABUSE],
        area="bristol",
        signs=concern_pb2.Signs(dash_score=15, consents_to_support=True, no_settled_home=True),
        subjects=[concern_pb2.Subject(role=common_pb2.SUBJECT_ROLE_VICTIM)],
        narrative=concern_pb2.Narrative(text="what happened"),
    )


def ask(call: Any, request: Any) -> Any:
    """What a call answers in time."""
    return call(request, timeout=CALL_SECONDS)


def ask_if_known(call: Any, request: Any) -> Any:
    """What a call answers, or None where the service does not know of the referral yet."""
    try:
        return ask(call, request)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None


def code_of(call: Any, request: Any) -> grpc.StatusCode:
    """How a call is refused."""
    code: grpc.StatusCode = refused(lambda: ask(call, request)).code()
    return code


def said(leg: routing_pb2.InboxItem, **fields: str) -> routing_pb2.InboxCommand:
    """What an answer on a leg names, under a new key."""
    return routing_pb2.InboxCommand(
        **{"idempotency_key": new_key(), "referral_id": leg.referral_id, "leg_id": leg.leg_id, **fields}
    )


def details(error: grpc.RpcError, kind: Any) -> Any:
    """The one google.rpc detail of a kind that an error carries."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error of a call is that call
    assert status is not None
    [packed] = [each for each in status.details if each.Is(kind.DESCRIPTOR)]
    found = kind()
    packed.Unpack(found)
    return found
