"""What intake's store answers: one referral with its keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection as MongoCollection

from services.chassis.engine.document import Document, fold
from services.chassis.engine.store import answering
from services.intake.domain import IntakeDecider, State


class Referrals:
    """Reads intake's documents. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, collection: MongoCollection[dict[str, Any]]) -> None:
        self._collection = collection
        self._decider = IntakeDecider()

    def find(self, referral_id: str) -> tuple[Document[State], Mapping[str, bytes]] | None:
        """The referral as facts give it, and its wrapped keys; None where there is none."""
        stored = self._find({"_id": referral_id}, None)
        if not stored:
            return None
        document = fold(self._decider, stored[0])
        return document, _undestroyed(stored[0], document.state.known.erased)

    def find_all(self, referral_ids: Sequence[str]) -> dict[str, tuple[Document[State], Mapping[str, bytes]]]:
        """As `find`, of many referrals in one read; absent for those that do not exist."""
        found: dict[str, tuple[Document[State], Mapping[str, bytes]]] = {}
        for stored in self._find({"_id": {"$in": list(referral_ids)}}, None):
            document = fold(self._decider, stored)
            found[document.id] = document, _undestroyed(stored, document.state.known.erased)
        return found

    def keys(self, referral_ids: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
        """Wrapped keys of many referrals, in one read; absent for those that do not exist."""
        found = self._find({"_id": {"$in": list(referral_ids)}}, {"keys": 1, "view.erased": 1})
        return {
            document["_id"]: _undestroyed(document, document.get("view", {}).get("erased", ())) for document in found
        }

    def _find(self, query: Mapping[str, Any], fields: Mapping[str, int] | None) -> list[dict[str, Any]]:
        with answering():
            return list(self._collection.find(query, fields))


def _undestroyed(document: Mapping[str, Any], erased: Collection[str]) -> dict[str, bytes]:
    """The wrapped keys; one that was destroyed does not come back with a store from a backup."""
    return {key_id: key for key_id, key in document.get("keys", {}).items() if key_id not in erased}
