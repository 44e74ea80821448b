"""`replace` for frozen dataclasses, as the standard library's and at half its cost: every fact folds by it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")

_How = tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, int]]
_known: dict[type[Any], _How] = {}
"""How to read a dataclass's fields, and the place of each."""


def replace(frozen: T, **changes: Any) -> T:
    """The same with these fields changed. For dataclasses of two fields and more, all of them given to __init__."""
    kind = type(frozen)
    read, places = _known.get(kind) or _learned(kind)
    values = list(read(frozen))
    for name, value in changes.items():
        values[places[name]] = value
    return kind(*values)


def _learned(kind: type[Any]) -> _How:
    names = [field.name for field in fields(kind)]
    _known[kind] = attrgetter(*names), {name: place for place, name in enumerate(names)}
    return _known[kind]
