"""A concern as its raiser writes it in a file: TOML or JSON, the fields of concern.proto, enums by their words."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from safeguarding.v1.concern_pb2 import Concern, Signs
from services.chassis.areafile import Wrong
from services.chassis.language import EnumWords
from services.cli.exits import invalid, usage

STANDARD_INPUT = Path("-")
_INTEGERS = frozenset({FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64})
LARGEST = 1_000_000
"""Characters; twenty people and a narrative are far below."""


def read(path: Path) -> Concern:
    """The concern in a file, or on standard input for `-`. A file of the scenario will do: its [concern] is taken.

    Raises Failed, naming the field and what would be right, and never what stood there.
    """
    values = parsed(text_of(path))
    inner = values.get("concern", values)
    concern = Concern()
    fill(concern, inner if isinstance(inner, Mapping) else {"concern": inner}, "")
    return concern


def text_of(path: Path) -> str:
    """The text of a file, or of standard input for `-`."""
    try:
        text = sys.stdin.read(LARGEST + 1) if path == STANDARD_INPUT else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{path} cannot be read: {type(error).__name__}", "a readable file of UTF-8 text") from None
    if len(text) > LARGEST:
        raise invalid(f"{path} is longer than {LARGEST} characters", "one concern a file")
    return text


def parsed(text: str) -> Mapping[str, Any]:
    """The table that TOML or JSON holds."""
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except json.JSONDecodeError as error:
        raise invalid(f"not JSON at line {error.lineno}, column {error.colno}", "a JSON object or TOML") from None
    except tomllib.TOMLDecodeError:
        raise invalid("neither JSON nor TOML", "a JSON object, or `key = value` lines") from None
    if not isinstance(values, dict):
        raise invalid("not a table", "a JSON object, or `key = value` lines")
    return values


def fill(message: Any, values: Mapping[str, Any], path: str) -> None:
    """Put values into a message by the names of its fields."""
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        where = f"{path}.{name}" if path else str(name)
        field = fields.get(name)
        if field is None:
            raise invalid("there is no such field", f"one of {', '.join(fields)}", where)
        if field.is_repeated:
            _fill_list(message, field, value, where)
        elif field.message_type is not None:
            inner = getattr(message, name)
            inner.SetInParent()
            fill(inner, _table(value, where), where)
        else:
            setattr(message, name, _scalar(field, value, where))


def _fill_list(message: Any, field: FieldDescriptor, values: Any, path: str) -> None:
    if not isinstance(values, list):
        raise invalid("not a list", "a list: [ … ]", path)
    into = getattr(message, field.name)
    for number, value in enumerate(values):
        where = f"{path}[{number}]"
        if field.message_type is not None:
            fill(into.add(), _table(value, where), where)
        else:
            into.append(_scalar(field, value, where))


def _table(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid("not a table", "a table of fields", path)
    return value


def _scalar(field: FieldDescriptor, value: Any, path: str) -> Any:
    """The value as the field takes it; a date may stand for its text."""
    if field.enum_type is not None:
        return enum(field.enum_type, value, path)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise invalid("not a yes or no", "true or false", path)
        return value
    if field.cpp_type in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
            raise invalid("not a number", "a whole number from 0", path)
        return value
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise invalid("not a text", 'a text: "…"', path)
    return value


def signs_of(said: Sequence[str]) -> Signs | None:
    """Signs as they are named on a command line, such as weapon or dash_score=16; None for none. Raises Failed."""
    if not said:
        return None
    found = Signs()
    for each in said:
        name, _, number = each.partition("=")
        field = Signs.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            raise usage("there is no such sign", f"one of {', '.join(Signs.DESCRIPTOR.fields_by_name)}")
        counts = field.cpp_type != FieldDescriptor.CPPTYPE_BOOL
        if counts != number.isdecimal():
            raise usage(f"--sign {name} is not said so", f"--sign {name}={'16' if counts else ''}".rstrip("="))
        setattr(found, name, int(number) if counts else True)
    return found


def enum(kind: EnumDescriptor, value: Any, path: str) -> Any:
    """The number for an enum's word, such as hate_crime, or for its full name."""
    words = EnumWords(kind)
    named = kind.values_by_name.get(value) if isinstance(value, str) else None
    try:
        return named.number if named is not None else words.number(value)
    except Wrong:
        raise invalid("no such word", f"one of {', '.join(words)}", path) from None
