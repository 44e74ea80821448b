"""Our `replace` gives what the standard library's gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from services import frozen


@dataclasses.dataclass(frozen=True)
class Thing:
    """Two fields, one with a default."""

    one: int
    two: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    """The same with slots."""

    one: int
    two: tuple[str, ...] = ()


@pytest.mark.parametrize("kind", [Thing, Slotted])
def test_what_is_named_changes_and_nothing_else(kind: Any) -> None:
    thing = kind(1, ("a",))

    assert frozen.replace(thing, one=2) == dataclasses.replace(thing, one=2) == kind(2, ("a",))
    assert frozen.replace(thing, two=("b",), one=3) == kind(3, ("b",))
    assert frozen.replace(thing) == thing == kind(1, ("a",))


@pytest.mark.parametrize("kind", [Thing, Slotted])
def test_a_name_that_is_no_field_is_an_error(kind: Any) -> None:
    with pytest.raises(TypeError, match="three"):
        frozen.replace(kind(1), three=3)
