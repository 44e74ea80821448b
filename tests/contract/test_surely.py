"""What our quick check accepts, protovalidate accepts: compared on right messages, and on what chance makes of them."""

from __future__ import annotations

import uuid
from typing import Any

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buf.validate import validate_pb2
from safeguarding.v1 import (
    access_pb2,
    audit_pb2,
    intake_pb2,
    parked_pb2,
    partner_pb2,
    procedure_pb2,
    routing_pb2,
    triage_pb2,
)
from services.chassis.surely import surely_right
from services.chassis.times import are_times
from services.cli.local.home import CHECKOUT
from services.cli.scenario import load_scenario

VALIDATOR = protovalidate.Validator()
FILES = [access_pb2, audit_pb2, intake_pb2, parked_pb2, partner_pb2, procedure_pb2, routing_pb2, triage_pb2]
KINDS = [
    message_factory.GetMessageClass(descriptor)
    for file in FILES
    for descriptor in file.DESCRIPTOR.message_types_by_name.values()
    if descriptor.fields
]
UUID = str(uuid.UUID(int=7))
TEXTS = st.one_of(
    st.sampled_from(["", "a", "Z", "0", "a\n", "narrative", "subject-1", "subject-123"]),
    st.sampled_from([UUID, UUID.upper(), UUID + "\n"]),
    st.builds("{}{}".format, st.sampled_from(["a", "é", "a-", "_"]), st.text("a1-_.é\n", max_size=3)),
    st.builds(lambda letter, bound, by: letter * max(0, bound + by), st.sampled_from("aé"), st.sampled_from(
        [1, 16, 40, 60, 80, 100, 200, 300, 500, 2000]), st.integers(-1, 1)),
)  # fmt: skip
LENGTHS = st.sampled_from([0, 1, 11, 12, 13, 15, 16, 17, 31, 32, 33, 64])
NUMBERS = st.sampled_from([0, 1, 2, 3, 19, 20, 21, 27, 28, 99, 100, 101, 1000, 1001, -1, 10**9, 253_402_300_800])
CONCERNS = [stated.concern for stated in load_scenario(CHECKOUT / "deploy" / "local" / "scenario")]
KEY = "a-key-that-is-long-enough"


def violations(message: Message) -> list[Any]:
    """What protovalidate says."""
    return list(VALIDATOR.collect_violations(message))


def value_of(field: FieldDescriptor, draw: Any) -> Any:
    """A value for a field that is no message; at the edge of rules more often than not."""
    if field.enum_type is not None:
        return draw(st.sampled_from([0, 99, *(value.number for value in field.enum_type.values)]))
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return draw(TEXTS)
        case FieldDescriptor.TYPE_BYTES:
            return bytes(draw(LENGTHS))
        case FieldDescriptor.TYPE_BOOL:
            return draw(st.booleans())
        case FieldDescriptor.TYPE_UINT32 | FieldDescriptor.TYPE_UINT64:
            return draw(NUMBERS.filter(lambda number: 0 <= number < 2**32))
        case FieldDescriptor.TYPE_INT32:
            return draw(NUMBERS.filter(lambda number: number < 2**31))
        case _:
            return draw(NUMBERS)


def change(message: Any, draw: Any, depth: int = 0) -> None:
    """Change one field somewhere within."""
    field = draw(st.sampled_from(list(message.DESCRIPTOR.fields)))
    if draw(st.integers(0, 9)) == 0:
        message.ClearField(field.name)
        return
    place = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    if field.message_type is not None:
        if field.is_repeated:
            inner = place.add() if not place or draw(st.booleans()) else draw(st.sampled_from(list(place)))
        else:
            inner = place
            inner.SetInParent()
        if depth < 4 and inner.DESCRIPTOR.fields:
            change(inner, draw, depth + 1)
    elif field.is_repeated:
        place.extend([value_of(field, draw)] * draw(st.sampled_from([1, 1, 2, 6])))
    else:
        setattr(message, field.name, value_of(field, draw))


@pytest.mark.parametrize("concern", CONCERNS, ids=range(len(CONCERNS)))
def test_what_the_scenario_raises_needs_no_second_look(concern: Any) -> None:
    assert surely_right(intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=concern))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_concern_that_chance_has_changed_is_never_accepted_against_protovalidate(data: st.DataObject) -> None:
    request = intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=data.draw(st.sampled_from(CONCERNS)))
    for _ in range(data.draw(st.integers(1, 4))):
        change(request, data.draw)

    if surely_right(request):
        assert violations(request) == []
        assert are_times(request)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_message_of_ours_that_chance_has_made_is_never_accepted_against_protovalidate(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(KINDS))()
    for _ in range(data.draw(st.integers(0, 12))):
        change(message, data.draw)

    if surely_right(message):
        assert violations(message) == []
        assert are_times(message)


def test_an_anonymous_concern_with_its_raiser_is_not_accepted() -> None:
    """The one rule that is an expression."""
    request = intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=CONCERNS[0])
    request.concern.anonymous = True
    request.concern.raiser.SetInParent()

    assert not surely_right(request)
    request.concern.ClearField("raiser")
    assert surely_right(request)


@pytest.mark.parametrize("rule", ["email", "ipv4"])
def test_a_rule_that_nobody_taught_us_makes_us_unsure(rule: str) -> None:
    """The message keeps it, as protovalidate finds; we do not know."""
    file = descriptor_pb2.FileDescriptorProto(name=f"test/{rule}.proto", package=f"test.{rule}", syntax="proto3")
    file.dependency.append(validate_pb2.DESCRIPTOR.name)
    field = file.message_type.add(name="Made").field.add(name="text", number=1)
    field.type, field.label = field.TYPE_STRING, field.LABEL_OPTIONAL
    setattr(field.options.Extensions[validate_pb2.field].string, rule, True)
    descriptor_pool.Default().Add(file)
    made: Any = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(f"test.{rule}.Made"))
    right = made(text={"email": "a@b.test", "ipv4": "127.0.0.1"}[rule])

    assert violations(right) == []
    assert not surely_right(right)


@pytest.mark.parametrize(("seconds", "nanos"), [(0, -1), (0, 10**9), (2**60, 0), (-(2**60), 0)])
def test_a_time_that_is_none_is_not_accepted(seconds: int, nanos: int) -> None:
    fact = intake_pb2.IntakeFact()
    fact.header.occurred_at.seconds, fact.header.occurred_at.nanos = seconds, nanos
    deadline = triage_pb2.ClockResumed()
    deadline.deadline.clock = "decide_red"
    deadline.deadline.at.seconds, deadline.deadline.at.nanos = seconds, nanos

    assert not surely_right(fact)
    assert not surely_right(deadline)
