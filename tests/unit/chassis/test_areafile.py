"""A wrong file is refused with its file, its line, what is wrong and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from services.chassis.areafile import FileRefused, Sourced, Strict, line_of, read


class Step(Strict):
    """A table within a table of an array."""

    days: Annotated[int, Field(examples=["3"])]


class Limit(Sourced):
    """A table of an array."""

    id: str
    steps: Sequence[Step] = ()


class File(Strict):
    """A whole file."""

    limit: Sequence[Limit]


GOOD = """\
# a comment
[[limit]]
id = "one"
words = '''
over
lines'''
source = "somewhere"
confirmed = true

[[limit]]
id = "two"
words = "w"
source = "s"
confirmed = true
  [[limit.steps]]
  days = 1
  [[limit.steps]]
  days = 2
"""


def refused(tmp_path: Path, text: str) -> FileRefused:
    """The refusal of a file with this text."""
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(FileRefused) as caught:
        read(path, File)
    assert caught.value.file == path
    assert str(path) in str(caught.value)
    return caught.value


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(GOOD)

    found = read(path, File)

    assert [(limit.id, len(limit.steps)) for limit in found.limit] == [("one", 0), ("two", 2)]


@pytest.mark.parametrize(
    ("at", "line"),
    [
        ((), 1),
        (("limit", 0), 2),
        (("limit", 0, "words"), 4),
        (("limit", 0, "source"), 7),
        (("limit", 1, "id"), 11),
        (("limit", 1, "steps", 1, "days"), 18),
        (("limit", 1, "steps", 1, "absent"), 17),
    ],
)
def test_places_have_the_line_on_which_they_begin(at: tuple[str | int, ...], line: int) -> None:
    assert line_of(GOOD, at) == line


def test_an_inline_table_has_the_line_of_its_key() -> None:
    assert line_of("a = 1\nb = { c = { d = 2 } }\n[e]\nf.g = 3\n", ("b", "c", "d")) == 2
    assert line_of("a = 1\nb = { c = { d = 2 } }\n[e]\nf.g = 3\n", ("e", "f", "g")) == 4


@pytest.mark.parametrize(
    ("before", "after", "line", "wrong", "right"),
    [
        ('id = "two"', 'id = "two"\ncolour = "red"', 12, "unknown key 'colour'", "one of words, source"),
        ('source = "s"\n', "", 10, "the key 'source' is missing", 'source = "Care Act'),
        ('source = "s"', 'source = " "', 13, "source is empty", 'source = "'),
        ("days = 2", 'days = "2"', 18, "'days': Input should be a valid integer", "days = 3"),
        (
            'source = "s"\nconfirmed = true',
            'source = "s"\nconfirmed = false',
            14,
            "without an unconfirmed_reason",
            "unconfirmed_reason = ",
        ),
        (
            'source = "s"\nconfirmed = true',
            'source = "s"\nconfirmed = true\nunconfirmed_reason = "?"',
            15,
            "there is an unconfirmed_reason",
            "confirmed = false with the reason",
        ),
        (
            'source = "s"\nconfirmed = true',
            f'source = "s"\nconfirmed = false\nunconfirmed_reason = "{"r" * 501}"',
            15,
            "'unconfirmed_reason' is longer than 500 characters",
            "of at most 500 characters",
        ),
        ('source = "s"', f'source = "{"s" * 301}"', 13, "'source' is longer", "of at most 300 characters"),
        ('words = "w"', f'words = "{"w" * 501}"', 12, "'words' is longer than 500", "of at most 500 characters"),
        ('id = "two"', "id = two", 11, "this is not TOML", 'key = "value"'),
    ],
    ids=[
        "unknown key",
        "no source",
        "empty source",
        "wrong type",
        "no reason",
        "needless reason",
        "long reason",
        "long source",
        "long words",
        "no TOML",
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_would_be_right(
    tmp_path: Path, before: str, after: str, line: int, wrong: str, right: str
) -> None:
    assert GOOD.count(before) == 1

    told = refused(tmp_path, GOOD.replace(before, after))

    assert told.line == line
    assert wrong in told.wrong
    assert right in told.right


def test_of_several_mistakes_the_first_that_can_be_seen_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, GOOD.replace("days = 1", "dais = 1").replace('id = "one"', 'name = "one"'))

    assert told.line == 3
    assert told.wrong == "unknown key 'name'"


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="the file is missing"):
        read(tmp_path / "absent.toml", File)

    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileRefused, match="cannot be read"):
        read(tmp_path / "binary.toml", File)
