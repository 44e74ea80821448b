"""More calls than can be taken: each is answered or told when to return, and nobody in danger waits behind others."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details

from safeguarding.v1 import intake_pb2 as intake
from services.chassis.admission import FEW, MOST
from services.chassis.deciding import Refused, Why
from services.chassis.engine.away import Away
from services.chassis.later import Later
from services.intake.api import in_danger
from tests.unit.chassis.rig import REFERRAL, Rig, answers_well, concern, detail, refusal, running
from tests.waiting import happens

CONNECTIONS = 6
A_CONNECTION = 200
"""Calls of each, fewer than a connection may have open: all are at the server at once."""
DANGER_EVERY = 40
"""So that there is room for all of them."""
LONG_ENOUGH = 60
ATTEMPTS = 5_000
ANSWERED = intake.RaiseConcernResponse(referral_id=REFERRAL)
OK, REFUSED = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig, None, None]:
    with running(tmp_path_factory.mktemp("rig"), in_danger) as made:
        yield made


def flood(rig: Rig, methods: Callable[[Any], Any], wait: Callable[[list[Any]], None]) -> Counter[tuple[bool, Any]]:
    """Many calls at once from several connections: how many in danger and not were answered how."""
    stubs = [rig.officer() for _ in range(CONNECTIONS)]
    calls = []
    for number in range(CONNECTIONS * A_CONNECTION):
        danger = number % DANGER_EVERY == 0
        method = methods(stubs[number % CONNECTIONS])
        calls.append((danger, method.future(concern(number, danger=danger), timeout=LONG_ENOUGH)))
    wait([call for _, call in calls])
    codes: Counter[tuple[bool, Any]] = Counter()
    for danger, call in calls:
        if call.code() is REFUSED:
            assert detail(refusal(call), details.RetryInfo).retry_delay.ToNanoseconds() > 0
        codes[danger, call.code()] += 1
    return codes


def test_of_a_thousand_calls_at_once_each_is_answered_or_told_when_to_return_and_danger_first(rig: Rig) -> None:
    waiting: list[Future[Any]] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Later:
        waiting.append(Future())
        return Later(waiting[-1], lambda made: made)

    def until_all_are_taken_or_refused(calls: list[Any]) -> None:
        happens("all taken or refused", lambda: sum(call.done() for call in calls) + len(waiting) == len(calls))
        for future in waiting:
            future.set_result(ANSWERED)

    rig.handler.answers = answer
    codes = flood(rig, lambda stub: stub.RaiseConcern, until_all_are_taken_or_refused)

    assert set(codes) == {(True, OK), (False, OK), (False, REFUSED)}
    assert codes[False, OK] + codes[True, OK] >= FEW  # all that are let in once calls wait unread, as on a busy machine
    assert codes[False, OK] <= MOST


def test_handlers_that_wait_are_flooded_as_well_and_whoever_is_let_in_is_answered(rig: Rig) -> None:
    release, entered = threading.Event(), []

    def answer(request: Any, _context: grpc.ServicerContext) -> intake.WithdrawResponse:
        entered.append(request)
        assert release.wait(LONG_ENOUGH)
        return intake.WithdrawResponse()

    def until_all_are_taken_or_refused(calls: list[Any]) -> None:
        happens("all taken or refused", lambda: sum(call.done() for call in calls) + len(entered) == len(calls))
        release.set()

    class Withdrawing:
        def __init__(self, stub: Any) -> None:
            self._withdraw = stub.Withdraw

        def future(self, request: intake.RaiseConcernRequest, timeout: float) -> Any:
            ask = intake.WithdrawRequest(
                referral_id=REFERRAL,
                idempotency_key=request.idempotency_key,
                seen_sequence=1,
                reason=intake.WITHDRAWAL_REASON_MISTAKE,
            )
            return self._withdraw.future(ask, timeout=timeout)

    rig.handler.answers = answer
    codes = flood(rig, Withdrawing, until_all_are_taken_or_refused)

    assert {code for _, code in codes} == {OK, REFUSED}
    assert len(entered) == codes[True, OK] + codes[False, OK] >= FEW


def test_an_answer_that_comes_later_reaches_its_caller(rig: Rig) -> None:
    asked: list[Future[Any]] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Later:
        asked.append(Future())
        return Later(asked[-1], lambda referral_id: intake.RaiseConcernResponse(referral_id=referral_id))

    rig.handler.answers = answer
    call = rig.officer().RaiseConcern.future(concern(1, danger=False), timeout=LONG_ENOUGH)
    happens("the handler was called", lambda: len(asked) == 1)
    assert not call.done()
    asked[0].set_result(REFERRAL)

    assert call.result().referral_id == REFERRAL


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(Why.CONFLICT, "it is so", "do thus"), grpc.StatusCode.ALREADY_EXISTS),
        (Away("store"), grpc.StatusCode.UNAVAILABLE),
        (ValueError("Zephyrine"), grpc.StatusCode.INTERNAL),
    ],
)
def test_a_refusal_that_comes_later_says_the_same_as_one_at_once(
    rig: Rig, error: Exception, code: grpc.StatusCode
) -> None:
    failed: Future[Any] = Future()
    failed.set_exception(error)
    rig.handler.answers = lambda _request, _context: Later(failed, lambda made: made)
    rig.enter("officer", "officer-1")
    with pytest.raises(grpc.RpcError) as caught:
        rig.once(rig.authority.officer()).RaiseConcern(concern(2, danger=False), timeout=LONG_ENOUGH)
    raised: Any = caught.value

    assert raised.code() is code
    assert "Zephyrine" not in str(refusal(raised))


def test_whose_answer_does_not_come_in_time_hears_that_it_is_unknown_before_their_deadline(rig: Rig) -> None:
    stub = rig.officer()
    rig.handler.answers = answers_well
    stub.GetReferral(intake.GetReferralRequest(referral_id=REFERRAL), timeout=LONG_ENOUGH)
    never: Future[Any] = Future()
    rig.handler.answers = lambda _request, _context: Later(never, lambda made: made)
    with pytest.raises(grpc.RpcError) as caught:
        stub.RaiseConcern(concern(3, danger=False), timeout=2)
    raised: Any = caught.value

    assert raised.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(refusal(raised), details.RetryInfo).retry_delay.seconds == 1


def _any_more(entered: list[Any], before: int, call: Any) -> bool:
    return len(entered) > before or bool(call.done())


def let_in(stub: Any, entered: list[Any], count: int) -> list[Any]:
    """So many calls under way. Those before may still be leaving: who is refused asks again."""
    calls: list[Any] = []
    for number in range(ATTEMPTS):
        if len(calls) == count:
            return calls
        call = stub.RaiseConcern.future(concern(number, danger=False), timeout=LONG_ENOUGH)
        before = len(calls)
        happens("let in or refused", partial(_any_more, entered, before, call))
        if len(entered) > before:
            calls.append(call)
    raise AssertionError(f"only {len(calls)} of {count} were let in")


def test_room_is_given_back_by_calls_that_fail_or_whose_callers_leave(rig: Rig) -> None:
    def fails(_request: Any, _context: grpc.ServicerContext) -> Any:
        raise Refused(Why.STALE, "it moved on", "read it")

    stub = rig.officer()
    rig.handler.answers = fails
    for number in range(2 * MOST):
        with pytest.raises(grpc.RpcError, match="it moved on"):
            stub.RaiseConcern(concern(number, danger=False), timeout=LONG_ENOUGH)
    left: list[Future[Any]] = []

    def leaves(_request: Any, _context: grpc.ServicerContext) -> Later:
        left.append(Future())
        return Later(left[-1], lambda made: made)

    rig.handler.answers = leaves
    for _ in range(MOST // FEW + 1):
        left.clear()
        calls = let_in(stub, left, FEW)
        for call, future in zip(calls, left, strict=True):
            call.cancel()
            future.set_result(ANSWERED)
    rig.handler.answers = answers_well

    assert stub.GetReferral(intake.GetReferralRequest(referral_id=REFERRAL), timeout=LONG_ENOUGH).referral_id


def test_a_call_that_sends_no_request_is_told_so(rig: Rig) -> None:
    bare: Any = rig.channel(rig.authority.officer()).stream_unary(
        "/safeguarding.v1.Intake/RaiseConcern", request_serializer=bytes, response_deserializer=bytes
    )
    with pytest.raises(grpc.RpcError) as caught:
        bare(iter([]), timeout=LONG_ENOUGH)
    raised: Any = caught.value

    assert raised.code() is grpc.StatusCode.UNIMPLEMENTED


def test_more_bulks_than_threads_are_told_when_to_return(rig: Rig) -> None:
    release = threading.Event()

    def answer(_requests: Any, _context: grpc.ServicerContext) -> intake.RaiseConcernsResponse:
        assert release.wait(LONG_ENOUGH)
        return intake.RaiseConcernsResponse()

    rig.handler.answers = answer
    stub = rig.officer()
    calls = [stub.RaiseConcerns.future(iter([]), timeout=LONG_ENOUGH) for _ in range(100)]
    happens("those without a thread are refused", lambda: sum(call.done() for call in calls) == 100 - 64)
    release.set()
    codes = Counter(call.code() for call in calls)

    assert codes == {OK: 64, REFUSED: 36}


def test_nothing_keeps_a_call_that_has_ended(rig: Rig) -> None:
    """GRPC counts what is kept as open, and turns a connection's further calls away; ours collect garbage seldom."""

    def answer(request: Any, _context: grpc.ServicerContext) -> Later:
        future: Future[Any] = Future()
        if request.concern.signs.immediate_danger:
            future.set_exception(Refused(Why.STALE, "it moved on", "read it"))
        else:
            future.set_result(ANSWERED)
        return Later(future, lambda made: made)

    rig.handler.answers = answer
    rig.enter("officer", "officer-1")
    stub = rig.once(rig.authority.officer())
    gc.disable()
    try:
        calls = 0
        for number in range(1_000):
            call = stub.RaiseConcern.future(concern(number, danger=number % 2 == 1), timeout=LONG_ENOUGH)
            calls += call.code() is (grpc.StatusCode.ABORTED if number % 2 else OK)
    finally:
        gc.enable()

    assert calls == 1_000


def test_a_server_that_is_stopped_ends_once_its_last_call_is_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    asked: list[Future[Any]] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Later:
        asked.append(Future())
        return Later(asked[-1], lambda made: made)

    with running(tmp_path_factory.mktemp("stopped"), in_danger) as rig:
        rig.handler.answers = answer
        call = rig.officer().RaiseConcern.future(concern(1, danger=False), timeout=LONG_ENOUGH)
        happens("the handler was called", lambda: len(asked) == 1)
        ended = rig.server.stop(grace=LONG_ENOUGH)
        assert not ended.is_set()
        asked[0].set_result(ANSWERED)

        assert call.result() == ANSWERED
        assert ended.wait(LONG_ENOUGH)
