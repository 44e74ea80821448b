"""Our `replace` gives what the standard library's gives."""

from __future__ import annotations

import dataclasses

import pytest

from services import frozen


@dataclasses.dataclass(frozen=True)
class Thing:
    """Two fields, one with a default."""

    one: int
    two: tuple[str, ...] = ()


def test_what_is_named_changes_and_nothing_else() -> None:
    thing = Thing(1, ("a",))

    assert frozen.replace(thing, one=2) == dataclasses.replace(thing, one=2) == Thing(2, ("a",))
    assert frozen.replace(thing, two=("b",), one=3) == Thing(3, ("b",))
    assert frozen.replace(thing) == thing == Thing(1, ("a",))


def test_a_name_that_is_no_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        frozen.replace(Thing(1), three=3)
