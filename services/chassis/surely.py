"""Accepts at once a message that surely keeps its field rules; protovalidate judges all others, and every refusal.

A check is written for each message type from the same rules in its proto, as one Python function without calls where
it can be. It may answer False for a right message, never True for a wrong one: whatever it does not know makes it
unsure. tests/contract/test_surely.py compares both on messages made at random.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from keyword import iskeyword
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from services.chassis.times import FIRST_SECOND, LAST_SECOND, NANOSECONDS, TIMESTAMP

Check = Callable[[Any], bool]

_AS_ZEROS = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
_UUID = str(uuid.UUID(int=0)).encode()
"""What a UUID is with a zero for each digit: to look at it so takes half as long as an expression."""
_KNOWN_CEL = {
    "!(this.anonymous && has(this.raiser))": "{m}.anonymous and {m}.HasField('raiser')",
    "this.part != 2 || this.subject == 0u": "{m}.part == 2 and {m}.subject != 0",
}
"""Rules written as expressions: when one of them is broken. An expression that is not listed makes us unsure."""
_BOUNDS = {"gte": "<", "gt": "<=", "lte": ">", "lt": ">="}
"""Comparisons that break a bound."""
_NUMBERS = ("int32", "int64", "uint32", "uint64")

_checks: dict[type[Message], Check] = {}


def surely_right(message: Message) -> bool:
    """True only where every field keeps its rule and every time is one (times.py); False also where we do not know."""
    kind = type(message)
    check = _checks.get(kind)
    if check is None:
        descriptor: Any = message.DESCRIPTOR
        check = _checks[kind] = _check_of(descriptor)
    return check(message)


class _Unsure(Exception):
    """A rule that is not known here."""


def _check_of(descriptor: Descriptor) -> Check:
    try:
        return _Writer().check(descriptor)
    except _Unsure:
        return _never


def _never(_: Any) -> bool:
    return False


class _Writer:
    """Writes the check of one message type; each line returns False where a rule is not surely kept."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"as_zeros": _AS_ZEROS, "a_uuid": _UUID}
        self._within: list[str] = []
        self._count = 0

    def check(self, descriptor: Descriptor) -> Check:
        """The function."""
        text = "\n    ".join(["def check(m):", *self._message(descriptor, "m"), "return True"])
        made: dict[str, Any] = {}
        exec(text, self._names, made)  # noqa: S102 - written here, from our own protos
        check: Check = made["check"]
        return check

    def _message(self, descriptor: Descriptor, at: str) -> Iterator[str]:
        """The lines for a message in the variable `at`; those of messages within are written in their place."""
        if descriptor.full_name in self._within:
            raise _Unsure  # a message that may hold its own kind
        self._within.append(descriptor.full_name)
        try:
            yield from self._whole(descriptor, at)
            for oneof in descriptor.oneofs:
                if _oneof_of(oneof.fields[0]) is not None:
                    yield from self._oneof(oneof, at)
            for field in descriptor.fields:
                if _oneof_of(field) is None:
                    yield from self._field(field, at)
        finally:
            self._within.pop()

    def _held(self, descriptor: Descriptor, at: str) -> Iterator[str]:
        """The lines for a message within another; one that we do not know makes us unsure only where it is there."""
        if descriptor.full_name == TIMESTAMP:
            yield f"if not {FIRST_SECOND} <= {at}.seconds <= {LAST_SECOND}: return False"
            yield f"if not 0 <= {at}.nanos < {NANOSECONDS}: return False"
        try:
            yield from list(self._message(descriptor, at))
        except _Unsure:
            yield "return False"

    def _whole(self, descriptor: Descriptor, at: str) -> Iterator[str]:
        rules = descriptor.GetOptions().Extensions[validate_pb2.message]
        _only(rules, {"cel"})
        for rule in rules.cel:
            if rule.expression not in _KNOWN_CEL:
                raise _Unsure
            yield f"if {_KNOWN_CEL[rule.expression].format(m=at)}: return False"

    def _oneof(self, oneof: OneofDescriptor, at: str) -> Iterator[str]:
        rules = oneof.GetOptions().Extensions[validate_pb2.oneof]
        _only(rules, {"required"})
        which = self._new("w", None)
        yield f"{which} = {at}.WhichOneof({oneof.name!r})"
        if rules.required:
            yield f"if {which} is None: return False"
        word = "if"
        for field in oneof.fields:
            lines = list(self._present(field, at))
            if lines:
                yield f"{word} {which} == {field.name!r}:"
                yield from _indented(lines)
                word = "elif"

    def _field(self, field: FieldDescriptor, at: str) -> Iterator[str]:
        """A field that is in no oneof."""
        lines = list(self._present(field, at))
        if field.is_repeated or not field.has_presence:
            yield from lines
        elif _rules(field).required:
            yield f"if not {at}.HasField({field.name!r}): return False"
            yield from lines
        elif lines:
            yield f"if {at}.HasField({field.name!r}):"
            yield from _indented(lines)

    def _present(self, field: FieldDescriptor, at: str) -> Iterator[str]:
        """What must be so of a field that has a value."""
        rules = _rules(field)
        _only(rules, {"required", "string", "bytes", "enum", "repeated", *_NUMBERS})
        here = self._new("x", None)
        if field.is_repeated:
            lines = list(self._repeated(field, rules, here))
        else:
            lines = list(self._value(field, rules, here))
            if rules.required and not field.has_presence:
                lines.insert(0, f"if not {here}: return False")
        if lines:
            value = f"getattr({at}, {field.name!r})" if iskeyword(field.name) else f"{at}.{field.name}"
            # As a list of its own: protobuf's ends each loop over it with an error that costs more than the copy.
            yield f"{here} = {value}[:]" if field.is_repeated else f"{here} = {value}"
            yield from lines

    def _repeated(self, field: FieldDescriptor, rules: Any, here: str) -> Iterator[str]:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if rules.ListFields() or field.message_type.fields_by_name["value"].message_type is not None:
                raise _Unsure
            return
        _only(rules.repeated, {"min_items", "max_items", "unique", "items"})
        least = max(rules.repeated.min_items, 1 if rules.required else 0)
        if least:
            yield f"if len({here}) < {least}: return False"
        if rules.repeated.HasField("max_items"):
            yield f"if len({here}) > {rules.repeated.max_items}: return False"
        if rules.repeated.unique:
            yield f"if len(set({here})) != len({here}): return False"
        _only(rules.repeated.items, {"string", "bytes", "enum", *_NUMBERS})
        item = self._new("x", None)
        lines = list(self._value(field, rules.repeated.items, item))
        if lines:
            yield f"for {item} in {here}:"
            yield from _indented(lines)

    def _value(self, field: FieldDescriptor, rules: Any, here: str) -> Iterator[str]:
        if field.message_type is not None:
            if _has_rules(field.message_type):
                yield from self._held(field.message_type, here)
        elif field.enum_type is not None:
            yield from self._enum(field.enum_type, rules.enum, here)
        elif field.type == field.TYPE_STRING:
            yield from self._string(rules.string, here)
        elif field.type == field.TYPE_BYTES:
            yield from _lengths(rules.bytes, here, {"len", "min_len", "max_len"})
        else:
            for kind in _NUMBERS:
                bounds = getattr(rules, kind)
                _only(bounds, {*_BOUNDS, "in"})
                for bound, value in bounds.ListFields():
                    breaks = f"not in {tuple(value)}" if bound.name == "in" else f"{_BOUNDS[bound.name]} {value}"
                    yield f"if {here} {breaks}: return False"

    def _enum(self, kind: EnumDescriptor, rules: Any, here: str) -> Iterator[str]:
        _only(rules, {"defined_only", "not_in"})
        if rules.ListFields():  # an undefined value makes us unsure also where it would be allowed
            allowed = frozenset(value.number for value in kind.values) - frozenset(rules.not_in)
            yield f"if {here} not in {self._new('allowed', allowed)}: return False"

    def _string(self, rules: Any, here: str) -> Iterator[str]:
        yield from _lengths(rules, here, {"min_len", "max_len", "pattern", "uuid"})
        if rules.uuid:
            yield f"if {here}.encode().translate(as_zeros) != a_uuid: return False"
        if rules.HasField("pattern"):
            # The whole text must match, which is stricter than RE2 where a pattern is not anchored.
            match = re.compile(rules.pattern, re.ASCII).fullmatch
            empty = f"{here} and " if match("") else ""  # most fields that may be empty are
            yield f"if {empty}not {self._new('matches', match)}({here}): return False"

    def _new(self, word: str, value: Any) -> str:
        """A name of its own; with a value, one that the function finds it under."""
        self._count += 1
        name = f"{word}{self._count}"
        if value is not None:
            self._names[name] = value
        return name


def _lengths(rules: Any, here: str, known: set[str]) -> Iterator[str]:
    _only(rules, known)
    least, most = (getattr(rules, name) if rules.HasField(name) else None for name in ("min_len", "max_len"))
    if "len" in known and rules.HasField("len"):
        yield f"if len({here}) != {rules.len}: return False"
    if least is not None and most is not None:
        yield f"if not {least} <= len({here}) <= {most}: return False"
    elif least is not None:
        yield f"if len({here}) < {least}: return False"
    elif most is not None:
        yield f"if len({here}) > {most}: return False"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _has_rules(descriptor: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Whether any field within has a rule, or is a time. What has none is never looked at."""
    if descriptor.full_name in seen:
        return False
    if descriptor.full_name == TIMESTAMP:
        return True
    seen |= {descriptor.full_name}
    options = descriptor.GetOptions()
    if options.HasExtension(validate_pb2.message):
        return True
    if any(oneof.GetOptions().HasExtension(validate_pb2.oneof) for oneof in descriptor.oneofs):
        return True
    return any(
        field.GetOptions().HasExtension(validate_pb2.field)
        or (field.message_type is not None and _has_rules(field.message_type, seen))
        for field in descriptor.fields
    )


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _only(rules: Any, known: set[str] | Mapping[str, Any]) -> None:
    if any(field.name not in known for field, _ in rules.ListFields()):
        raise _Unsure


def _oneof_of(field: FieldDescriptor) -> Any:
    """The oneof that the proto's author wrote around a field; not the one that protoc makes for `optional`."""
    oneof = field.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{field.name}"):
        return None
    return oneof
