"""Whether every time in a message is one: on the wire a Timestamp takes any number of seconds and nanoseconds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01 and 9999-12-31, UTC."""
NANOSECONDS = 1_000_000_000
TIMESTAMP = "google.protobuf.Timestamp"


def are_times(message: Message) -> bool:
    """True where each Timestamp in the message, however deep, lies in the years 1 to 9999."""
    return all(_holds(message, field) for field in _with_times(message.DESCRIPTOR))


def wrong_times(message: Any, path: str = "") -> Iterator[str]:
    """The paths of the Timestamps that cannot be read as times."""
    for field in _with_times(message.DESCRIPTOR):
        where = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            inner = [(f"{where}[{place}]", each) for place, each in enumerate(getattr(message, field.name))]
        else:
            inner = [(where, getattr(message, field.name))] if message.HasField(field.name) else []
        for at, each in inner:
            if each.DESCRIPTOR.full_name != TIMESTAMP:
                yield from wrong_times(each, at)
            elif not is_time(each):
                yield at


def is_time(time: Any) -> bool:
    """True for a Timestamp that can be read as a time."""
    return bool(FIRST_SECOND <= time.seconds <= LAST_SECOND and 0 <= time.nanos < NANOSECONDS)


def _holds(message: Any, field: FieldDescriptor) -> bool:
    if field.is_repeated:
        return all(map(_is_right, getattr(message, field.name)))
    return not message.HasField(field.name) or _is_right(getattr(message, field.name))


def _is_right(inner: Any) -> bool:
    return is_time(inner) if inner.DESCRIPTOR.full_name == TIMESTAMP else are_times(inner)


@cache
def _with_times(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that are times or can hold one, so that a message without any costs nothing."""
    return tuple(field for field in descriptor.fields if field.message_type and _may_hold(field.message_type, ()))


def _may_hold(descriptor: Descriptor, above: tuple[str, ...]) -> bool:
    if descriptor.full_name == TIMESTAMP:
        return True
    inner = (field.message_type for field in descriptor.fields if field.message_type)
    beneath = (*above, descriptor.full_name)
    return any(_may_hold(each, beneath) for each in inner if each.full_name not in above)
