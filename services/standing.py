"""What an area's file says of where something comes from, as facts and answers carry it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from safeguarding.v1.common_pb2 import Standing


class Stated(Protocol):
    """A table of a file with its source beside it."""

    @property
    def words(self) -> str:
        """In words that a practitioner would use."""
        ...

    @property
    def source(self) -> str:
        """Where it comes from."""
        ...

    @property
    def confirmed(self) -> bool:
        """False while no practitioner has confirmed it."""
        ...

    @property
    def unconfirmed_reason(self) -> str:
        """Why none has; empty where one has."""
        ...


def standing(id: str, stated: Stated) -> Standing:
    """The standing of what has this id."""
    return Standing(
        id=id,
        words=stated.words,
        source=stated.source,
        confirmed=stated.confirmed,
        unconfirmed_reason=stated.unconfirmed_reason,
    )


def without_words(stated: Iterable[Standing]) -> list[Standing]:
    """The same for a partner: a rule's words may say who else is told."""
    return [
        Standing(id=each.id, source=each.source, confirmed=each.confirmed, unconfirmed_reason=each.unconfirmed_reason)
        for each in stated
    ]


def any_unconfirmed(stated: Iterable[Standing]) -> bool:
    """True where no practitioner has confirmed one of them."""
    return any(not each.confirmed for each in stated)
