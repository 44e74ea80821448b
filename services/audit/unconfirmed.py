"""What a fact names of an area's rules, clocks, grounds and rights that no practitioner has confirmed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from safeguarding.v1.common_pb2 import Deadline, Standing
from safeguarding.v1.triage_pb2 import FiredRule

_STATED = {kind.DESCRIPTOR.full_name for kind in (Deadline, FiredRule, Standing)}


def unconfirmed_in(message: Message) -> list[str]:
    """Their ids, each once, in the order in which the fact names them."""
    return list(dict.fromkeys(_found(message)))


def _found(message: Message) -> Iterator[str]:
    match message:
        case Deadline() if message.unconfirmed_reason:
            yield message.clock
        case FiredRule() if not message.confirmed:
            yield message.rule_id
        case Standing() if not message.confirmed:
            yield message.id
    for name, is_repeated in _holding(message.DESCRIPTOR):
        if is_repeated:
            for each in getattr(message, name):
                yield from _found(each)
        elif message.HasField(name):
            yield from _found(getattr(message, name))


@cache
def _holding(kind: Descriptor) -> tuple[tuple[str, bool], ...]:
    """The fields below which something stated may lie; worked out once for each type, since most have none."""
    return tuple(
        (field.name, field.is_repeated)
        for field in kind.fields
        if field.message_type is not None and _may_hold(field.message_type, frozenset())
    )


def _may_hold(kind: Descriptor, above: frozenset[str]) -> bool:
    if kind.full_name in _STATED:
        return True
    seen = above | {kind.full_name}
    below = (field.message_type for field in kind.fields if field.message_type is not None)
    return any(each.full_name not in seen and _may_hold(each, seen) for each in below)
