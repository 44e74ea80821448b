"""Kafka away for 30 s: intake says so within the caller's deadline, never OK, and a repeat gives one referral."""

from __future__ import annotations

import time

import grpc
import pytest

from safeguarding.v1 import intake_pb2_grpc
from tests.chaos import load, topics
from tests.chaos.clients import request_of, who_raises
from tests.chaos.ledger import Submission
from tests.chaos.world import World

AWAY_SECONDS = 30.0
DEADLINE = 3.0
MARGIN = 0.5
"""A call that ends at its deadline was cut off by the client's own clock; ours must answer before."""


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_intake_without_a_broker_answers_unavailable_in_time_and_a_repeat_gives_one_referral(world: World) -> None:
    stated = load.concerns()
    submissions = [Submission(f"broker-away-{number:04d}", stated[number % len(stated)]) for number in range(12)]
    channels = [without_retries(world, submission) for submission in submissions]
    stubs = [intake_pb2_grpc.IntakeStub(channel) for channel in channels]
    world.clients.raise_one(Submission("broker-away-before", stated[0]))
    before = topics.facts(world.stack).referrals

    world.stack.hold("kafka")
    back_at = time.monotonic() + AWAY_SECONDS
    answers: list[tuple[str, float]] = []
    number = 0
    while time.monotonic() < back_at:
        submission, stub = submissions[number % len(submissions)], stubs[number % len(submissions)]
        asked = time.monotonic()
        code = _code(stub, submission)
        answers.append((code, time.monotonic() - asked))
        number += 1
        time.sleep(0.5)  # a client that repeats politely
    world.stack.start(["kafka"])
    for channel in channels:
        channel.close()
    told = [world.clients.raise_one(submission) for submission in submissions]
    again = [world.clients.raise_one(submission) for submission in submissions]

    assert len(answers) >= len(submissions), "each concern was tried while the broker was away"
    assert {code for code, _ in answers} == {"UNAVAILABLE"}
    assert max(seconds for _, seconds in answers) <= DEADLINE + MARGIN
    assert told == again
    assert world.settle(60)
    assert world.ledger.verdict().clean, world.ledger.verdict().said
    facts = topics.facts(world.stack)
    assert (facts.duplicated, facts.out_of_order) == ([], [])
    assert facts.referrals - before == {answer.referral_id for answer in told}


def without_retries(world: World, submission: Submission) -> grpc.Channel:
    """A channel that passes on what intake itself answers: ours repeats UNAVAILABLE by itself until the deadline."""
    world.channels.to("intake", who_raises(submission))  # which also enters them into the directory
    files = world.channels.tls(who_raises(submission))
    credentials = grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )
    return grpc.secure_channel(world.stack.address("intake"), credentials, options=[("grpc.enable_retries", 0)])


def _code(stub: intake_pb2_grpc.IntakeStub, submission: Submission) -> str:
    try:
        stub.RaiseConcern(request_of(submission), timeout=DEADLINE)
    except grpc.RpcError as error:
        name: str = error.code().name
        return name
    return "OK"
