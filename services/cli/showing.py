"""How the command shows things: one JSON document or tables on standard output, progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from services.chassis.language import EnumWords

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

UNCONFIRMED = "not confirmed"
"""Said wherever something shows that no practitioner has confirmed."""

notes = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def document(message: Message) -> dict[str, Any]:
    """The message as JSON holds it, every field present, enums by name."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def print_json(content: Any) -> None:
    """One JSON document; a message is printed by its fields."""
    typer.echo(json.dumps(document(content) if isinstance(content, Message) else content, indent=2, ensure_ascii=False))


def line(text: str) -> None:
    """One line of the answer."""
    typer.echo(text)


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], *, title: str = "") -> None:
    """A table; one that has no rows is said to be empty."""
    shown = Table(title=title or None, title_justify="left")
    for column in columns:  # what is copied into the next command stands whole on one line
        shown.add_column(column, overflow="fold", no_wrap=column in ("referral", "leg", "where"))
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    # Not a terminal: as wide as it needs, so that nothing is cut off.
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=260)
    console.print(shown if shown.row_count else f"{title or 'here'}: nothing")


def word(message: Any, field: str) -> str:
    """The word for an enum field, such as red; empty for its zero value."""
    return enum_word(message.DESCRIPTOR.fields_by_name[field].enum_type, getattr(message, field))


def enum_word(enum: Any, number: int) -> str:
    """The word for one value of an enum; empty for zero, the number for what this version does not know."""
    if not number:
        return ""
    found = enum.values_by_number.get(number)
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return found.name.removeprefix(prefix).lower() if found else str(number)


def moment(at: Timestamp | None) -> str:
    """A time as the person's own clock shows it; empty for none."""
    if at is None or not at.seconds:
        return ""
    return f"{at.ToDatetime(tzinfo=UTC).astimezone():%a %d %b %H:%M:%S}"


def deadline(found: Any) -> str:
    """A clock with its end, and whether a practitioner has confirmed it."""
    unsure = f" ({UNCONFIRMED})" if found.unconfirmed_reason else ""
    return f"{found.clock} {moment(found.at)}{unsure}" if found.clock else ""


def far(percent: int) -> str:
    """How much of a clock's time is over, as its owner is warned of it; empty before the first warning."""
    return "" if not percent else ", BREACHED" if percent >= 100 else f", {percent}% over"


def standing(found: Any) -> str:
    """The id of what an area states, and why no practitioner has confirmed it where none has."""
    return found.id if found.confirmed else f"{found.id} ({UNCONFIRMED}: {found.unconfirmed_reason})"


@contextmanager
def working(text: str) -> Generator[None]:
    """Show that something goes on, where somebody watches."""
    with notes.status(text):
        yield


@contextmanager
def progress() -> Generator[Any]:
    """A bar: call what is given with what is done, how far it is and of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes, transient=True) as bars:
        known: dict[str, Any] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=of)
            bars.update(known[what], completed=done, total=of)

        yield tell


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def words_of(enum: Any) -> list[str]:
    """Every word of an enum, for help texts."""
    return list(EnumWords(enum.DESCRIPTOR))


def tree(message: Message, indent: str = "") -> None:
    """A message for reading: a line for each field that is there, what is inside further in."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else (value,):
            if isinstance(each, Timestamp):
                line(f"{indent}{_said(field.name)}: {moment(each)}")
            elif isinstance(each, Message):
                line(f"{indent}{_said(field.name)}")
                tree(each, f"{indent}  ")
            elif field.enum_type is not None:
                line(f"{indent}{_said(field.name)}: {_said(enum_word(field.enum_type, each))}")
            else:
                line(f"{indent}{_said(field.name)}: {each}")


def _said(name: str) -> str:
    return name.replace("_", " ")
