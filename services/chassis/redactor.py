"""Takes personal data out of what is logged: fields marked `debug_redact`, and whatever has no known type."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

REDACTED = "[redacted]"
LONGEST_TEXT = 500
"""Ids, codes and names of events are short: whatever is longer may be a narrative."""
_MOST_ITEMS = 50
_DEEPEST = 8


def redacted(message: Message) -> dict[str, Any]:
    """The message as plain values, marked fields replaced; bytes only by their length."""
    shown: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name in _marked(message.DESCRIPTOR):
            shown[field.name] = REDACTED
        elif field.is_extension:
            shown[field.full_name] = REDACTED
        else:
            shown[field.name] = _field(field, value)
    return shown


def plain(value: Any, depth: int = 0) -> Any:
    """A logged value as JSON can hold it; what could carry personal data unseen is stripped."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"[text of {len(value)} characters]"
    if isinstance(value, Message):
        return redacted(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, BaseException):
        return type(value).__name__
    return _container(value, depth)


def _container(value: Any, depth: int) -> Any:
    if depth >= _DEEPEST:
        return f"[{type(value).__name__}]"
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {str(plain(key, depth + 1)): plain(item, depth + 1) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    return f"[{type(value).__name__}]"


def _field(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return f"[map of {len(value)}]"  # a key may be personal as well as a value
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if isinstance(value, Message):
        return redacted(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named is not None else value
    return plain(value)


@cache  # one entry for each message type
def _marked(descriptor: Descriptor) -> frozenset[str]:
    return frozenset(field.name for field in descriptor.fields if field.GetOptions().debug_redact)
