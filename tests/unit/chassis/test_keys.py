"""What a service remembers of data keys ends: with an erasure that it hears of, and after a time in any case."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from safeguarding.v1 import intake_pb2, intake_pb2_grpc
from services.chassis.keys import REMEMBERED_SECONDS, Keys

REFERRAL = "5f3a7b52-0b1e-5c53-9f5f-3a0f6f0d9a01"


class Intake(intake_pb2_grpc.KeysServicer):
    """Opens what it has."""

    def __init__(self) -> None:
        self.keys = {"subject-1": b"1" * 32, "narrative": b"n" * 32}
        self.asked = 0

    def Open(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.OpenRequest, context: grpc.ServicerContext
    ) -> intake_pb2.OpenResponse:
        self.asked += 1
        opened = [
            intake_pb2.OpenedKey(referral_id=referral, key_id=key_id, key=key)
            for referral in request.referral_ids
            for key_id, key in self.keys.items()
        ]
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
