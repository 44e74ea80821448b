"""From the rules in the protos to requests that break them: each field empty, too long, too many, of no known kind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2

UNKNOWN_NUMBER = 987
"""An enum number that no proto gives."""


@dataclass(frozen=True)
class Wrong:
    """One request with one field wrong, and the path by which the answer must name that field."""

    how: str
    field: str
    request: Message


def wrongs(base: Message) -> Iterator[Wrong]:
    """Every way in which one field of `base`, a right request, breaks a rule of its proto.

    Messages and lists that `base` leaves empty are filled on the way, so that every field of every depth is met.
    """
    yield from _in_message(base, base, (), 0)


def rules_of(field: FieldDescriptor) -> Any:
    """The field's rules; empty where it has none."""
    return field.GetOptions().Extensions[validate_pb2.field]


Path = tuple[tuple[str, int | None], ...]


def _in_message(root: Message, message: Any, path: Path, depth: int) -> Iterator[Wrong]:
    if depth > 6:
        raise RecursionError("requests are not that deep")
    for field in message.DESCRIPTOR.fields:
        rules = rules_of(field)
        if field.is_repeated:
            yield from _in_list(root, field, rules, path, depth)
        elif field.message_type is not None:
            if rules.required:
                yield _with(root, path, field, "absent", None)
            inner = _filled(root, (*path, (field.name, None)))
            yield from _in_message(inner[0], inner[1], (*path, (field.name, None)), depth + 1)
        else:
            for how, value in _values(field, rules):
                yield _with(root, path, field, how, value)


def _in_list(root: Message, field: FieldDescriptor, rules: Any, path: Path, depth: int) -> Iterator[Wrong]:
    limits = rules.repeated
    if limits.min_items:
        yield _with(root, path, field, "no item", [])
    if limits.max_items:
        yield _with(root, path, field, "too many items", limits.max_items + 1)
    if field.message_type is not None:
        if field.message_type.full_name == "safeguarding.v1.RaiseConcernRequest":
            return  # in a bulk each stands alone and is refused alone
        inner = _filled(root, (*path, (field.name, 0)))
        yield from _in_message(inner[0], inner[1], (*path, (field.name, 0)), depth + 1)
        return
    if limits.unique:
        first = "x" if field.type == field.TYPE_STRING else 1
        yield _with(root, path, field, "twice the same", [first, first])
    for how, value in _values(field, limits.items):
        yield Wrong(how, f"{_dotted(path, field)}[0]", _changed(root, path, field, [value]))


def _values(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Any]]:
    if field.enum_type is not None:
        if 0 in rules.enum.not_in:
            yield "unspecified", 0
        if rules.enum.defined_only:
            yield "of no known kind", UNKNOWN_NUMBER
        return
    match rules.WhichOneof("type"):
        case "string":
            text = rules.string
            if text.min_len or text.uuid or (text.pattern and not text.pattern.startswith("^$")):
                yield "empty", ""
            if text.max_len:
                yield "too long", "x" * (text.max_len + 1)
            if text.pattern:
                yield "of the wrong form", "Ä b/c"
            if text.uuid:
                yield "of the wrong form", "not-a-uuid"
        case "bytes":
            yield "too long", b"x" * (rules.bytes.max_len + 1)
        case "uint32" | "uint64" as kind:
            number = getattr(rules, kind)
            if number.HasField("gte") and number.gte:
                yield "too small", number.gte - 1
            if number.HasField("lte"):
                yield "too large", number.lte + 1
            if getattr(number, "in"):
                yield "none of those that there are", UNKNOWN_NUMBER
        case None:
            return
        case other:
            raise NotImplementedError(f"{field.full_name}: say here what is wrong for {other} rules")


def _with(root: Message, path: Path, field: FieldDescriptor, how: str, value: Any) -> Wrong:
    return Wrong(how, _dotted(path, field), _changed(root, path, field, value))


def _dotted(path: Path, field: FieldDescriptor) -> str:
    steps = [name if index is None else f"{name}[{index}]" for name, index in path]
    return ".".join([*steps, field.name])


def _changed(root: Message, path: Path, field: FieldDescriptor, value: Any) -> Message:
    """The request with one field set; for a list, a number is how many items it is to have."""
    request, holder = _filled(root, path)
    if not field.is_repeated:
        holder.ClearField(field.name)
        if value is not None:
            setattr(holder, field.name, value)
        return request
    items = getattr(holder, field.name)
    new = _so_many(field, items, value) if isinstance(value, int) else value
    del items[:]
    items.extend(new)
    return request


def _so_many(field: FieldDescriptor, items: Any, count: int) -> list[Any]:
    """Items of which their number is wrong: of an enum they differ, all else may repeat, or is named for that too."""
    first = copy.deepcopy(items[0])
    return list(range(1, count + 1)) if field.enum_type is not None else [first] * count


def _filled(root: Message, path: Path) -> tuple[Message, Any]:
    """A copy of the request in which everything on the path is present, and what the path leads to."""
    request = type(root)()
    request.CopyFrom(root)
    holder: Any = request
    for name, index in path:
        if index is None:
            getattr(holder, name).SetInParent()
            holder = getattr(holder, name)
        else:
            items = getattr(holder, name)
            holder = items[index] if len(items) > index else items.add()
    return request, holder
