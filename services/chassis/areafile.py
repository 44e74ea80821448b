"""Reads the files of an area strictly: what is wrong is refused with its file, line and what would be right.

A file is TOML, checked against a pydantic model that forbids unknown keys. tomllib forgets where things
stood, so the text of a file that is refused is read a second time, statement by statement.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Where = tuple[str | int, ...]
"""A place in a file: ("rule", 3, "when", "kinds") is the kinds of the when of the fourth rule."""

M = TypeVar("M", bound=BaseModel)


class FileRefused(Exception):
    """A file that cannot be used. It names the place and says what is wrong and what would be right."""

    def __init__(self, file: Path, line: int, wrong: str, right: str) -> None:
        super().__init__(f"{file}:{line}: {wrong}\n  right would be: {right}")
        self.file = file
        self.line = line
        self.wrong = wrong
        self.right = right


class Wrong(ValueError):
    """Raised by a model's own validator: what is wrong, where below the model, and what would be right."""

    def __init__(self, wrong: str, right: str, *, at: Where = ()) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.right = right
        self.at = at


class Strict(BaseModel):
    """A table of a file: no unknown keys, never changed, no value taken for another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Sourced(Strict):
    """A table that says where it comes from. Confirmed: the published source named beside it says so.

    No longer than facts may say it (FiredRule, Standing): they quote it.
    """

    words: Annotated[str, Field(max_length=500)]
    source: Annotated[str, Field(max_length=300)]
    confirmed: bool
    unconfirmed_reason: Annotated[str, Field(max_length=500)] = ""

    def model_post_init(self, _: Any) -> None:
        """Every list, rule and threshold has its source beside it, or says that it is unconfirmed and why."""
        for key in ("words", "source"):
            if not getattr(self, key).strip():
                raise Wrong(f"{key} is empty", f'{key} = "Working Together 2023, chapter 3"', at=(key,))
        if self.confirmed and self.unconfirmed_reason:
            raise Wrong(
                "confirmed = true, and yet there is an unconfirmed_reason",
                "confirmed = true alone, or confirmed = false with the reason",
                at=("unconfirmed_reason",),
            )
        if not self.confirmed and not self.unconfirmed_reason.strip():
            raise Wrong(
                "confirmed = false without an unconfirmed_reason",
                'unconfirmed_reason = "general knowledge; no public text was found"',
                at=("confirmed",),
            )


def read(path: Path, model: type[M]) -> M:
    """Return the file as the model, or raise FileRefused for the first thing that is wrong."""
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else len(text.splitlines())
        raise FileRefused(path, line, f"this is not TOML: {error}", 'key = "value"') from error
    except RecursionError:
        raise FileRefused(path, 0, "arrays or tables lie hundreds deep in each other", 'key = "value"') from None
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        raise _refused(path, text, model, error) from error


def refuse(path: Path, at: Where, wrong: str, right: str) -> FileRefused:
    """Make the refusal of a place that was read well but does not agree with something else."""
    return FileRefused(path, line_of(_text(path), at), wrong, right)


def line_of(text: str, at: Where) -> int:
    """Return the line, from 1, on which a place begins; for a place without a line, that of what holds it."""
    lines = _lines(text)
    while at and at not in lines:
        at = at[:-1]
    return lines.get(at, 1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise FileRefused(path, 0, "the file is missing", f"a file named {path.name}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FileRefused(path, 0, f"it cannot be read: {error}", "a readable UTF-8 file") from error


def _refused(path: Path, text: str, model: type[BaseModel], error: ValidationError) -> FileRefused:
    # A misspelt key is both unknown and missing: what is there and wrong says more than what is not.
    details = error.errors()
    present = [detail for detail in details if detail["type"] != "missing"] or details
    line, wrong, right = min(_problem(text, model, dict(detail)) for detail in present)
    return FileRefused(path, line, wrong, right)


def _problem(text: str, model: type[BaseModel], detail: dict[str, Any]) -> tuple[int, str, str]:
    cause = detail.get("ctx", {}).get("error")
    at: Where = detail["loc"]
    if isinstance(cause, Wrong):
        return line_of(text, at + cause.at), cause.wrong, cause.right
    key = next((step for step in reversed(at) if isinstance(step, str)), "")
    holder = _model_at(model, at[:-1])
    if detail["type"] == "extra_forbidden":
        known = ", ".join(holder.model_fields) if holder else "none"
        return line_of(text, at), f"unknown key {key!r}", f"one of {known}"
    if detail["type"] == "missing":
        return line_of(text, at[:-1]), f"the key {key!r} is missing", _example(holder, key)
    if detail["type"] == "string_too_long":
        most = detail["ctx"]["max_length"]
        return line_of(text, at), f"{key!r} is longer than {most} characters", f"{key} of at most {most} characters"
    legal = detail.get("ctx", {}).get("expected_tags") or detail.get("ctx", {}).get("expected")
    right = f"one of {legal}" if legal else _example(holder, key)
    return line_of(text, at), f"{key!r}: {detail['msg']}", right


def _example(holder: type[BaseModel] | None, key: str) -> str:
    field = holder.model_fields.get(key) if holder else None
    if field and field.examples:
        return f"{key} = {field.examples[0]}"
    return {"source": 'source = "Care Act 2014, section 42"', "confirmed": "confirmed = true"}.get(
        key, f"{key} with a value of the right kind"
    )


def _model_at(model: type[BaseModel], at: Where) -> type[BaseModel] | None:
    """The model of a place, found by walking the annotations of the fields."""
    current: type[BaseModel] | None = model
    for step in at:
        if isinstance(step, int) or current is None:
            continue
        field = current.model_fields.get(step)
        current = _model_in(field.annotation) if field else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _lines(text: str) -> dict[Where, int]:
    """Where each table and key begins: text that tomllib has read is statements that it reads one by one."""
    found: dict[Where, int] = {(): 1}
    arrays: dict[Where, int] = {}
    table: Where = ()
    statement, first = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        first = number if not statement else first
        statement += line + "\n"
        try:
            read_alone = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = _header(read_alone, statement.lstrip().startswith("[["), arrays)
            found.setdefault(table, first)
        else:
            _note_keys(read_alone, table, first, found)
        statement = ""
    return found


def _header(read_alone: dict[str, Any], is_array: bool, arrays: dict[Where, int]) -> Where:
    """The place that a header opens: in each array on the way, the last element so far."""
    at: Where = ()
    node: Any = read_alone
    while node:
        if isinstance(node, list):
            node = node[0]
            continue
        key = next(iter(node))
        at, node = (*at, key), node[key]
        ends_here = not node or node == [{}]
        if is_array and ends_here:
            arrays[at] = arrays.get(at, -1) + 1
        if at in arrays:
            at = (*at, arrays[at])
    return at


def _note_keys(values: dict[str, Any], below: Where, line: int, found: dict[Where, int]) -> None:
    for key, value in values.items():
        found.setdefault((*below, key), line)
        if isinstance(value, dict):
            _note_keys(value, (*below, key), line, found)
