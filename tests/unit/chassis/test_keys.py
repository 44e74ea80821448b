"""What a service remembers of data keys ends: with an erasure that it hears of, and after a time in any case."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from safeguarding.v1 import intake_pb2, intake_pb2_grpc
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis import sealing
from services.chassis.engine.away import Away
from services.chassis.keys import MOST_AHEAD, REMEMBERED_SECONDS, Keys, NotOpened
from services.chassis.sealing import seal, unseal
from tests.waiting import happens

REFERRAL = "5f3a7b52-0b1e-5c53-9f5f-3a0f6f0d9a01"


class Intake(intake_pb2_grpc.KeysServicer):
    """Opens what it has."""

    def __init__(self) -> None:
        self.keys = {"subject-1": b"1" * 32, "narrative": b"n" * 32}
        self.asked = 0
        self.together: list[int] = []
        """Of how many referrals each call asked."""
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fails: list[grpc.StatusCode] = []
        """The next calls fail so; the last goes on."""

    def Open(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.OpenRequest, context: grpc.ServicerContext
    ) -> intake_pb2.OpenResponse:
        self.asked += 1
        self.together.append(len(request.referral_ids))
        opened = [
            intake_pb2.OpenedKey(referral_id=referral, key_id=key_id, key=key)
            for referral in request.referral_ids
            for key_id, key in self.keys.items()
        ]
        assert self.may_answer.wait(60)
        if self.fails:
            context.abort(self.fails[0] if len(self.fails) == 1 else self.fails.pop(0), "no")
        return intake_pb2.OpenResponse(keys=opened)


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def channel(intake: Intake) -> Iterator[grpc.Channel]:
    server = grpc.server(ThreadPoolExecutor(1))
    intake_pb2_grpc.add_KeysServicer_to_server(intake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as found:
        yield found
    server.stop(None).wait()


def test_a_destroyed_key_is_not_remembered_for_ever_by_who_does_not_hear_of_it(
    intake: Intake, channel: grpc.Channel
) -> None:
    now = [100.0]
    keys = Keys(channel, "copies", clock=lambda: now[0])
    assert set(keys.open([REFERRAL])[REFERRAL]) == {"subject-1", "narrative"}
    del intake.keys["subject-1"]

    now[0] += REMEMBERED_SECONDS - 1
    assert "subject-1" in keys.open([REFERRAL])[REFERRAL]
    now[0] += 1

    assert set(keys.open([REFERRAL])[REFERRAL]) == {"narrative"}
    assert intake.asked == 2


def test_who_hears_of_an_erasure_forgets_at_once(intake: Intake, channel: grpc.Channel) -> None:
    keys = Keys(channel, "copies")
    keys.open([REFERRAL])
    del intake.keys["subject-1"]

    keys.forget(REFERRAL)

    assert set(keys.open([REFERRAL])[REFERRAL]) == {"narrative"}


def test_what_was_made_of_keys_is_forgotten_with_an_erasure_and_after_a_time_in_any_case(
    intake: Intake, channel: grpc.Channel
) -> None:
    """A cipher holds its key."""
    now = [100.0]
    keys = Keys(channel, "copies", clock=lambda: now[0])
    narrative = keys.open([REFERRAL])[REFERRAL]["narrative"]
    sealed = seal(narrative, REFERRAL, "narrative", FIELD_GROUP_NARRATIVE, 1, Narrative(text="words"))

    def opened() -> int:
        assert unseal(narrative, REFERRAL, sealed, Narrative).text == "words"
        return sealing._cipher.cache_info().currsize

    assert opened()
    keys.forget(REFERRAL)
    assert sealing._cipher.cache_info().currsize == 0

    assert opened()
    now[0] += REMEMBERED_SECONDS
    keys.open(["5f3a7b52-0b1e-5c53-9f5f-3a0f6f0d9a02"])
    assert sealing._cipher.cache_info().currsize == 0

    assert opened()
    now[0] += REMEMBERED_SECONDS - 1
    keys.open(["5f3a7b52-0b1e-5c53-9f5f-3a0f6f0d9a03"])
    assert sealing._cipher.cache_info().currsize, "until then they save work"
    assert REMEMBERED_SECONDS <= 600, "as docs/erasure.md promises"


def test_keys_that_are_expected_are_asked_for_once_and_waited_for_only_by_who_needs_them(
    intake: Intake, channel: grpc.Channel
) -> None:
    keys = Keys(channel, "copies")
    intake.may_answer.clear()
    keys.expect([REFERRAL])
    keys.expect([REFERRAL])
    happens("intake was asked", lambda: intake.asked == 1)
    intake.may_answer.set()

    assert set(keys.open([REFERRAL])[REFERRAL]) == {"subject-1", "narrative"}
    keys.expect([REFERRAL])
    assert set(keys.open([REFERRAL])[REFERRAL]) == {"subject-1", "narrative"}
    assert intake.asked == 1


def test_what_is_expected_while_calls_are_under_way_is_asked_for_together(
    intake: Intake, channel: grpc.Channel
) -> None:
    keys = Keys(channel, "copies")
    intake.may_answer.clear()
    many = [f"{REFERRAL[:-2]}{number:02}" for number in range(10)]
    for each in many:
        keys.expect([each])
    happens("intake was asked", lambda: intake.asked == 1)
    intake.may_answer.set()
    happens("the others were asked for as well", lambda: sum(intake.together) == 10)

    assert all(keys.open(many).values())
    assert intake.together == [1] * MOST_AHEAD + [10 - MOST_AHEAD]


def test_who_needs_what_is_only_expected_waits_for_no_other_call(intake: Intake, channel: grpc.Channel) -> None:
    keys = Keys(channel, "copies")
    intake.may_answer.clear()
    many = [f"{REFERRAL[:-2]}{number:02}" for number in range(MOST_AHEAD + 1)]
    for each in many:
        keys.expect([each])
    with ThreadPoolExecutor(1) as needing:
        opened = needing.submit(keys.open, many[-1:])
        happens("it is asked for, though none has come", lambda: intake.asked == 1 and not keys._awaited)
        intake.may_answer.set()
        assert set(opened.result(60)[many[-1]]) == {"subject-1", "narrative"}


def test_what_was_expected_before_an_erasure_is_not_remembered_after_it(intake: Intake, channel: grpc.Channel) -> None:
    keys = Keys(channel, "copies")
    intake.may_answer.clear()
    keys.expect([REFERRAL])
    happens("intake has read the keys", lambda: intake.asked == 1)
    del intake.keys["subject-1"]
    keys.forget(REFERRAL)
    intake.may_answer.set()

    assert set(keys.open([REFERRAL])[REFERRAL]) == {"narrative"}
    assert intake.asked == 2


def test_keys_that_were_expected_and_did_not_come_are_asked_for_again_by_who_needs_them(
    intake: Intake, channel: grpc.Channel
) -> None:
    keys = Keys(channel, "copies")
    intake.fails = [grpc.StatusCode.UNAVAILABLE]
    keys.expect([REFERRAL])
    happens("intake was asked", lambda: intake.asked == 1)
    with pytest.raises(Away):
        keys.open([REFERRAL])
    intake.fails = []

    assert set(keys.open([REFERRAL])[REFERRAL]) == {"subject-1", "narrative"}


def test_a_key_that_was_added_since_is_asked_for(intake: Intake, channel: grpc.Channel) -> None:
    keys = Keys(channel, "copies")
    keys.expect([REFERRAL])
    keys.open([REFERRAL])
    intake.keys["subject-2"] = b"2" * 32

    assert "subject-2" in keys.open([REFERRAL], {REFERRAL: ["subject-2"]})[REFERRAL]


MENDED = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "UNAUTHENTICATED", "PERMISSION_DENIED")


@pytest.mark.parametrize("code", MENDED)
def test_what_waiting_may_mend_is_away(intake: Intake, channel: grpc.Channel, code: str) -> None:
    """Also where intake knows us no more: for no referral would it be otherwise."""
    intake.fails = [grpc.StatusCode[code]]

    with pytest.raises(Away):
        Keys(channel, "copies").open([REFERRAL])


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "UNKNOWN"])
def test_what_is_of_the_question_is_no_reason_to_wait(intake: Intake, channel: grpc.Channel, code: str) -> None:
    """Waiting for ever, everybody else would wait too. Asked twice, since a connection that breaks looks like it."""
    intake.fails = [grpc.StatusCode[code]]

    with pytest.raises(NotOpened, match=code):
        Keys(channel, "copies").open([REFERRAL])

    assert intake.asked == 2


def test_a_connection_that_breaks_in_the_middle_is_no_answer(intake: Intake, channel: grpc.Channel) -> None:
    intake.fails = [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE]

    with pytest.raises(Away):
        Keys(channel, "copies").open([REFERRAL])
