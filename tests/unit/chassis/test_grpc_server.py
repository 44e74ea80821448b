"""The server and the channel hold their bounds: size, calls, retries, and nothing shown outside local."""

import io
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from grpc._server import _RPCState
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.intake_pb2_grpc import add_IntakeServicer_to_server
from services.chassis.arrivals import THREADS, Served
from services.chassis.deciding import Refused, Why
from services.chassis.errors import MOST_VIOLATIONS, Unavailable
from services.chassis.grpc_client import LARGEST_MESSAGE, channel
from services.chassis.grpc_server import build_server
from services.chassis.health import Health
from services.chassis.metrics import Metrics
from tests.unit.chassis.certificates import make_authority
from tests.unit.chassis.rig import (
    REFERRAL,
    Handler,
    Rig,
    RigSettings,
    answers_well,
    detail,
    free_port,
    refusal,
    running,
    settings_fields,
)
from tests.waiting import happens

ASK = intake.GetReferralRequest(referral_id=REFERRAL)
CANARY = "Zephyrine Quillfeather"
IN_A_HURRY = 0.1
"""Seconds."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig, None, None]:
    with running(tmp_path_factory.mktemp("rig")) as made:
        yield made


def failure(call: Any, request: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60)
    return caught.value


def test_a_message_over_the_limit_is_turned_away_before_it_is_read(rig: Rig) -> None:
    bare: Any = rig.channel(rig.authority.officer()).unary_unary(
        "/safeguarding.v1.Intake/GetReferral", request_serializer=bytes, response_deserializer=bytes
    )
    error = failure(bare, b"\x0a" * (LARGEST_MESSAGE + 1))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_that_is_no_protobuf_is_refused_without_quoting_it(rig: Rig) -> None:
    rig.enter("officer", "officer-1")
    bare: Any = rig.channel(rig.authority.officer()).unary_unary(
        "/safeguarding.v1.Intake/GetReferral", request_serializer=bytes, response_deserializer=bytes
    )
    error = failure(bare, CANARY.encode())

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert CANARY not in str(error)


def test_a_call_is_tried_again_a_bounded_number_of_times_while_the_service_is_away(rig: Rig) -> None:
    tried: list[int] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Any:
        tried.append(1)
        raise Unavailable("broker")

    rig.handler.answers = answer
    error = failure(rig.officer().GetReferral, ASK)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert len(tried) == 4


def test_a_refusal_is_not_tried_again(rig: Rig) -> None:
    tried: list[int] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Any:
        tried.append(1)
        raise Refused(Why.STALE, "it moved on", "read it")

    rig.handler.answers = answer
    failure(rig.officer().GetReferral, ASK)

    assert len(tried) == 1


def test_many_wrong_fields_still_fit_into_an_answer(rig: Rig) -> None:
    wrong = intake.RaiseConcernsRequest(concerns=[intake.RaiseConcernRequest()] * 100)
    rig.handler.answers = lambda requests, _context: list(requests)
    error = failure(rig.officer().RaiseConcerns, iter([wrong]))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    listed = detail(refusal(error), details.BadRequest).field_violations
    assert "and 299 more" in refusal(error).message
    assert [found.description for found in listed][MOST_VIOLATIONS:] == ["and 275 more"]
    assert len(refusal(error).SerializeToString()) < 8_000


def test_a_call_whose_caller_has_gone_before_its_turn_reaches_no_handler(tmp_path: Path) -> None:
    """A server counts a caller's time from when it read the call, a little later than the caller: that time is let run
    out here, between reading it and its turn, however slow the machine is."""
    read: list[str] = []
    reached: list[Any] = []

    def only_once_it_is_late(request: Any) -> bool:
        read.append(request.referral_id)
        time.sleep(2 * IN_A_HURRY)
        return False

    def gone(stub: Any) -> bool:
        """The caller gives up; on a busy machine perhaps before the call was read."""
        error = failure(lambda request, timeout: stub.GetReferral(request, timeout=IN_A_HURRY), ASK)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return bool(read)

    with running(tmp_path, only_once_it_is_late) as hurried:
        hurried.handler.answers = lambda request, _context: reached.append(request)
        stub = hurried.officer()
        happens("a call was read whose caller then was gone", lambda: gone(stub))
        happens("all such calls have ended", lambda: ended(hurried) == len(read))

    assert reached == []


def test_calls_that_cannot_even_be_refused_end_all_the_same_and_leave_the_server_its_threads(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """A bug in what tells callers of others: nobody would be served once each thread had met it."""

    def loses(served: Served, status: Any) -> None:
        raise LookupError

    rig.handler.answers = answers_well
    stub = rig.officer()
    with monkeypatch.context() as broken:
        broken.setattr(Served, "refuse", loses)
        asked = [stub.GetReferral.future(intake.GetReferralRequest(), timeout=60) for _ in range(THREADS + 1)]
        assert {call.code() for call in asked} == {grpc.StatusCode.INTERNAL}, "and not once their time is over"

    assert logged.getvalue().count("call_lost") == len(asked)
    assert stub.GetReferral(ASK, timeout=60).referral_id == REFERRAL


class Breaks:
    """A call of gRPC's that gives a request, and breaks where it is to be ended."""

    def __init__(self) -> None:
        self.begun: list[Any] = []

    def start_server_batch(self, operations: Any, come: Any) -> None:
        """See cygrpc."""
        self.begun.append(come)
        if len(self.begun) > 1:
            raise LookupError


@pytest.mark.parametrize("refused", [True, False], ids=["while refusing", "before that"])
def test_a_call_that_cannot_be_ended_is_not_ended_twice_and_ends_no_thread(refused: bool, logged: io.StringIO) -> None:
    call = Breaks()
    guarded: Any = SimpleNamespace(
        house=SimpleNamespace(room=SimpleNamespace(waited=lambda _: None)), method=SimpleNamespace(short="M")
    )

    def take(served: Served, _guarded: Any, _raw: bytes) -> None:
        if refused:
            served.refuse(None)
        raise LookupError

    state: Any = _RPCState()  # type: ignore[no-untyped-call]  # see arrivals.py
    Served(SimpleNamespace(call=call), state, None).read(guarded, take)
    came = SimpleNamespace(batch_operations=[SimpleNamespace(message=lambda: b"")])

    assert call.begun[0](came) == (None, ())
    assert len(call.begun) == 2
    assert logged.getvalue().count("call_lost") == 1
    assert logged.getvalue().count("call_unended") == (0 if refused else 1)


def ended(rig: Rig) -> float:
    """Calls, however they ended."""
    samples = (sample for metric in rig.metrics.registry.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name == "referrals_rpc_seconds_count")


def test_outside_local_there_is_no_reflection(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "ca", "Example Partnership Issuing CA")
    fields = settings_fields(tmp_path, authority, free_port()) | {"environment": "production"}
    settings = RigSettings.model_validate(fields)
    metrics = Metrics(CollectorRegistry())
    server = build_server(
        settings, [(add_IntakeServicer_to_server, Handler())], Health(metrics=metrics), metrics=metrics
    )
    server.start()
    try:
        with channel(settings.grpc_address, authority.officer()) as opened:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(opened)
            ask = reflection_pb2.ServerReflectionRequest(list_services="")
            with pytest.raises(grpc.RpcError) as caught:
                next(stub.ServerReflectionInfo(iter([ask]), timeout=60))
    finally:
        server.stop(grace=0).wait(5)
    error: Any = caught.value

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_port_that_another_holds_is_an_error(rig: Rig, tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "ca")
    port = int(rig.address.rpartition(":")[2])
    settings = RigSettings.model_validate(settings_fields(tmp_path, authority, port))

    with pytest.raises(RuntimeError, match="bind"):
        build_server(settings, [], Health(metrics=Metrics(CollectorRegistry())))
