"""`replace` for frozen dataclasses, as the standard library's and at a third of its cost: every fact folds by it. Pure.

What is replaced has no slots: its fields are one dictionary, which is copied as a whole, however many there are.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def replace(frozen: T, **changes: Any) -> T:
    """The same with these fields changed. For dataclasses without slots and __post_init__."""
    new = object.__new__(type(frozen))
    values = new.__dict__  # written to directly: a frozen object refuses every other way
    values.update(frozen.__dict__)
    count = len(values)
    values.update(changes)
    if len(values) != count:
        raise KeyError(*(changes.keys() - frozen.__dict__.keys()))
    return new
