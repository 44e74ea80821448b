"""`replace` for frozen dataclasses, as the standard library's and at a third of its cost: every fact folds by it. Pure.

Without slots a dataclass's fields are one dictionary, which is copied as a whole, however many there are.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")


def replace(frozen: T, **changes: Any) -> T:
    """The same with these fields changed. For dataclasses without __post_init__; one with slots takes longer."""
    new = object.__new__(type(frozen))
    try:
        values = new.__dict__  # written to directly: a frozen object refuses every other way
    except AttributeError:
        slotted: Any = frozen
        return dataclasses.replace(slotted, **changes)  # type: ignore[no-any-return]  # of the type that came
    values.update(frozen.__dict__)
    count = len(values)
    values.update(changes)
    if len(values) != count:
        raise TypeError(f"no such fields: {changes.keys() - frozen.__dict__.keys()}")
    return new
