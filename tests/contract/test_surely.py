"""What our quick check accepts, protovalidate accepts: compared on right messages, and on what chance makes of them."""

from __future__ import annotations

import random
import uuid
from typing import Any

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

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
NO_UUIDS = [UUID + "\n", UUID.replace("-", "0", 1), UUID[:-1] + "g", UUID[:-1] + "é"]
TEXTS = ["", "a", "Z", "0", "a\n", "narrative", "subject-1", "subject-123", UUID, UUID.upper(), *NO_UUIDS]
TEXT_BOUNDS = [1, 16, 40, 60, 80, 100, 200, 300, 500, 2000]
LENGTHS = [0, 1, 11, 12, 13, 15, 16, 17, 31, 32, 33, 64]
NUMBERS = [0, 1, 2, 3, 19, 20, 21, 27, 28, 99, 100, 101, 1000, 1001, -1, 10**9, 253_402_300_800]
CASES = 5_000
CONCERNS = [stated.concern for stated in load_scenario(CHECKOUT / "deploy" / "local" / "scenario")]
KEY = "a-key-that-is-long-enough"


def violations(message: Message) -> list[Any]:
    """What protovalidate says."""
    return list(VALIDATOR.collect_violations(message))


def text(chosen: random.Random) -> str:
    """A text: one of ours, one of odd characters, or one just about as long as some rule allows."""
    match chosen.randrange(3):
        case 0:
            return chosen.choice(TEXTS)
        case 1:
            return chosen.choice(["a", "é", "a-", "_"]) + "".join(chosen.choices("a1-_.é\n", k=chosen.randrange(4)))
        case _:
            return chosen.choice("aé") * max(0, chosen.choice(TEXT_BOUNDS) + chosen.choice([-1, 0, 1]))


def value_of(field: FieldDescriptor, chosen: random.Random) -> Any:
    """A value for a field that is no message; at the edge of rules more often than not."""
    if field.enum_type is not None:
        return chosen.choice([0, 99, *(value.number for value in field.enum_type.values)])
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return text(chosen)
        case FieldDescriptor.TYPE_BYTES:
            return bytes(chosen.choice(LENGTHS))
        case FieldDescriptor.TYPE_BOOL:
            return chosen.choice([False, True])
        case FieldDescriptor.TYPE_UINT32 | FieldDescriptor.TYPE_UINT64:
            return chosen.choice([number for number in NUMBERS if 0 <= number < 2**32])
        case FieldDescriptor.TYPE_INT32:
            return chosen.choice([number for number in NUMBERS if number < 2**31])
        case _:
            return chosen.choice(NUMBERS)


def change(message: Any, chosen: random.Random, depth: int = 0) -> None:
    """Change one field somewhere within."""
    field = chosen.choice(message.DESCRIPTOR.fields)
    if chosen.randrange(10) == 0:
        message.ClearField(field.name)
        return
    place = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    if field.message_type is not None:
        if field.is_repeated:
            inner = place.add() if not place or chosen.choice([False, True]) else chosen.choice(place)
        else:
            inner = place
            inner.SetInParent()
        if depth < 4 and inner.DESCRIPTOR.fields:
            change(inner, chosen, depth + 1)
    elif field.is_repeated:
        place.extend([value_of(field, chosen)] * chosen.choice([1, 1, 2, 6]))
    else:
        setattr(message, field.name, value_of(field, chosen))


def is_judged_alike(case: int, message: Message) -> bool:
    """Whether we accept it; then protovalidate must too."""
    if not surely_right(message):
        return False
    assert violations(message) == [], f"case {case}: {message}"
    assert are_times(message), f"case {case}: {message}"
    return True


@pytest.mark.parametrize("concern", CONCERNS, ids=range(len(CONCERNS)))
def test_what_the_scenario_raises_needs_no_second_look(concern: Any) -> None:
    assert surely_right(intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=concern))


def test_a_concern_that_chance_has_changed_is_never_accepted_against_protovalidate() -> None:
    accepted = 0
    for case in range(CASES):
        chosen = random.Random(case)
        request = intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=chosen.choice(CONCERNS))
        for _ in range(chosen.randint(1, 4)):
            change(request, chosen)
        accepted += is_judged_alike(case, request)

    assert CASES // 10 < accepted < CASES


def test_any_message_of_ours_that_chance_has_made_is_never_accepted_against_protovalidate() -> None:
    accepted = 0
    for case in range(CASES):
        chosen = random.Random(case)
        message = chosen.choice(KINDS)()
        for _ in range(chosen.randint(0, 12)):
            change(message, chosen)
        accepted += is_judged_alike(case, message)

    assert CASES // 10 < accepted < CASES


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
