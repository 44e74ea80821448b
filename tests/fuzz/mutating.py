"""Makes wrong input out of right input: bytes that are bent, and messages whose fields hold what they should not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Dice = random.Random
Words = Sequence[str]
"""Texts that mean something somewhere: ids, codes, names of clocks."""

MOST_BYTES = 64 * 1024
EDGES = {
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, 2**31 - 1, -(2**31)),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 2**63 - 1, -(2**63), 253_402_300_800, -62_135_596_801),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2, 2**31, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**63, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -1.0, 1e308, float("inf"), float("nan")),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, -1.0, float("inf"), float("nan")),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}
TEXTS = (
    "",
    " ",
    "x",
    "\x00",
    "\u202e",
    "\U0001f600" * 20,
    "ß" * 300,
    "-1",
    "../../etc",
    "$where",
    "{}",
    "a.b",
    "%s%n",
    "x" * 5_000,
    "2024-02-30",
    "00000000-0000-4000-8000-00000000000A",
    "{00000000-0000-4000-8000-000000000001}",
    "urn:uuid:00000000-0000-4000-8000-000000000001",
    "\n\nrole: operator",
)
TAGS = tuple(bytes([number << 3 | kind]) for number in range(16) for kind in (0, 1, 2, 3, 4, 5))


def bent(raw: bytes, dice: Dice) -> bytes:
    """The bytes with one to four of the things done to them that break decoders."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        raw = dice.choice(_BENDS)(raw, dice)[:MOST_BYTES]
    return raw


def changed(message: Message, dice: Dice, words: Words = ()) -> Any:
    """A copy of the message with one to three of its fields, of any depth, set to something else."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(dice.choice((1, 1, 2, 3))):
        _change(copy, dice, words)
    return copy


def wrong_bytes(message: Message, dice: Dice, words: Words = ()) -> bytes:
    """The message as bytes: mostly changed, sometimes bent too, seldom as it was."""
    how = dice.random()
    if how < 0.7:
        message = changed(message, dice, words)
    raw = message.SerializeToString()
    return bent(raw, dice) if 0.6 < how < 0.93 else raw


def _change(message: Any, dice: Dice, words: Words) -> None:
    if not message.DESCRIPTOR.fields:
        return
    field = dice.choice(message.DESCRIPTOR.fields)
    for _ in range(6):  # into what is there, so that deep fields are met as well
        inner = _inside(message, field)
        if inner is None or not inner.DESCRIPTOR.fields or dice.random() < 0.2:
            break
        message, field = inner, dice.choice(inner.DESCRIPTOR.fields)
    if dice.random() < 0.15:
        message.ClearField(field.name)
    elif field.is_repeated:
        _change_items(getattr(message, field.name), field, dice, words)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _value(field, dice, words))


def _inside(message: Any, field: FieldDescriptor) -> Any:
    if field.message_type is None:
        return None
    held = getattr(message, field.name)
    if not field.is_repeated:
        return held
    return held[-1] if len(held) else None


def _change_items(items: Any, field: FieldDescriptor, dice: Dice, words: Words) -> None:
    how = dice.random()
    if how < 0.2:
        del items[:]
    elif how < 0.4 and len(items):
        items.extend([items[0]] * dice.choice((1, 5, 120)))
    elif field.message_type is not None:
        items.add()
    else:
        items.append(_value(field, dice, words))


def _value(field: FieldDescriptor, dice: Dice, words: Words) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return dice.choice([*(value.number for value in field.enum_type.values), -1, 987])
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return dice.choice((b"", b"\x00", dice.randbytes(12), dice.randbytes(32), dice.randbytes(400)))
        return dice.choice(words) if words and dice.random() < 0.6 else dice.choice(TEXTS)
    return dice.choice(EDGES[kind])


def _flip(raw: bytes, dice: Dice) -> bytes:
    if not raw:
        return b"\x01"
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << dice.randrange(8)]) + raw[at + 1 :]


def _cut(raw: bytes, dice: Dice) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)]


def _drop(raw: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + raw[at + dice.randrange(1, 9) :]


def _insert(raw: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + dice.randbytes(dice.randrange(1, 9)) + raw[at:]


def _repeat(raw: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(raw) + 1)
    piece = raw[at : at + dice.randrange(1, 65)]
    return raw[:at] + piece * dice.choice((2, 3, 50)) + raw[at:]


def _tagged(raw: bytes, dice: Dice) -> bytes:
    """A field of another number or wire type put in: groups, unknown fields, lengths beyond the end."""
    length = dice.choice((b"", b"\x00", b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xff" * 10))
    at = dice.choice((0, len(raw), dice.randrange(len(raw) + 1)))
    return raw[:at] + dice.choice(TAGS) + length + raw[at:]


def _nested(raw: bytes, dice: Dice) -> bytes:
    """A message in itself, deeper than parsers go."""
    for _ in range(dice.choice((3, 120))):
        raw = dice.choice(TAGS[:60])[:1] + _varint(len(raw)) + raw
        if len(raw) > MOST_BYTES:
            break
    return raw


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _noise(_raw: bytes, dice: Dice) -> bytes:
    return dice.randbytes(dice.choice((0, 1, 2, 16, 200)))


_BENDS: tuple[Callable[[bytes, Dice], bytes], ...] = (
    _flip,
    _flip,
    _cut,
    _drop,
    _insert,
    _repeat,
    _tagged,
    _nested,
    _noise,
)
