"""A bulk of concerns always gets an answer that its caller takes."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import grpc
import pytest

from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Answer
from services.chassis.grpc_client import LARGEST_MESSAGE
from services.intake.bulk import LONGEST_KEY, MOST_OF_A_STREAM, Bulk
from services.intake.domain import State

NOBODY = cast(grpc.ServicerContext, None)
"""Is asked only how long an answer may still take, where one has not come."""


def done(result: Any) -> Future[Answer[State]]:
    """What the engine has answered."""
    future: Future[Answer[State]] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


def recorded(number: int) -> Answer[State]:
    """The answer to one concern."""
    fact = IntakeFact()
    fact.header.referral_id = f"8f14e45f-ceea-467f-a0e6-{number:012}"
    fact.header.sequence = 1
    return Answer((fact,), State(), 1)


def test_recorded_and_refused_are_told_apart_in_the_order_they_came() -> None:
    bulk = Bulk(NOBODY)
    bulk.refuse("first", Why.INVALID, "name one of bath, bristol", "concern.area")
    conflict = Refused(Why.CONFLICT, "another request", "choose a new key", field="idempotency_key")
    bulk.wait([("second", done(recorded(2))), ("third", done(conflict)), ("fourth", done(recorded(4)))])

    answer = bulk.answer()

    assert [raised.referral_id[-1] for raised in answer.raised] == ["2", "4"]
    assert answer.raised[0].reference == "8F14-E45F"
    assert [(refused.idempotency_key, refused.code) for refused in answer.refused] == [
        ("first", grpc.StatusCode.INVALID_ARGUMENT.value[0]),
        ("third", grpc.StatusCode.ALREADY_EXISTS.value[0]),
    ]
    assert answer.refused[1].message == "another request; choose a new key"


def test_more_than_one_answer_can_carry_are_refused_with_what_to_do() -> None:
    bulk = Bulk(NOBODY)
    bulk.came(MOST_OF_A_STREAM)

    with pytest.raises(Refused, match="more than 10,000") as refused:
        bulk.came(1)

    assert refused.value.why is Why.INVALID
    assert "same keys" in refused.value.right


def test_the_longest_answer_to_as_many_as_may_come_is_one_that_callers_take() -> None:
    bulk = Bulk(NOBODY)
    one = "concern.subjects[19].identity.date_of_birth"
    bulk.refuse("k" * 2 * LONGEST_KEY, Why.INVALID, "a" * 100_000, one)
    refused = bulk.answer().ByteSize()

    assert refused * MOST_OF_A_STREAM < LARGEST_MESSAGE
