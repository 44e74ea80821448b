"""Documents of a moment ago: where a referral's next fact follows at once, what was just saved is not read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from services.chassis.deciding import Upstream
from services.chassis.engine.document import Document
from services.chassis.engine.items import Item

S = TypeVar("S")

MOST: Final = 256
"""Documents that are remembered: at some hundred referrals a second, those of the last second."""
LARGEST_TURN: Final = 100
"""Inputs of a turn whose documents are remembered. One read serves a larger one, and its documents would only lie in
memory until others push them out."""


class Recent(Generic[S]):
    """What the last turns saved and had acknowledged. Used by the engine's thread alone.

    Another process may have saved since. So a document is given only to inputs that change it, whose save then meets
    a conflict and is repeated on what is stored: never to a command, which would be refused by what was, nor to a
    fact that is not the next of its writer.
    """

    def __init__(self) -> None:
        self._documents: dict[str, Document[S]] = {}

    def keep(self, document: Document[S]) -> None:
        """Remember a document that is saved, and whose own facts are all acknowledged."""
        document.settled()
        self._documents[document.id] = document
        if len(self._documents) > MOST:
            del self._documents[next(iter(self._documents))]

    def take(self, wanted: Sequence[str], items: Sequence[Item]) -> dict[str, Document[S]]:
        """Those of `wanted` that all of their inputs among `items` change. None of `wanted` is remembered after it."""
        if not self._documents:
            return {}
        taken = {id: document for id in wanted if (document := self._documents.pop(id, None)) is not None}
        if not taken:
            return {}
        applied: dict[tuple[str, str], int] = {}
        for item in items:
            document = taken.get(item.referral_id)
            if document is None:
                continue
            given = item.given
            if item.must_load or item.replay is not None or not isinstance(given, Upstream):
                del taken[item.referral_id]
                continue
            lane = given.referral_id, given.writer
            known = applied.get(lane, document.length(given.writer))
            if given.sequence != known + 1:
                del taken[item.referral_id]
                continue
            applied[lane] = given.sequence
        return taken
