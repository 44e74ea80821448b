"""What intake's store answers: one referral with its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.collection import Collection

from services.chassis.engine.document import Document, fold
from services.chassis.engine.store import answering
from services.intake.domain import IntakeDecider, State


class Referrals:
    """Reads intake's documents. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self._decider = IntakeDecider()

    def find(self, referral_id: str) -> tuple[Document[State], Mapping[str, bytes]] | None:
        """The referral as facts give it, and its wrapped keys; None where there is none."""
        stored = self._find({"_id": referral_id}, None)
        return (fold(self._decider, stored[0]), stored[0].get("keys", {})) if stored else None

    def keys(self, referral_ids: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
        """Wrapped keys of many referrals, in one read; absent for those that do not exist."""
        found = self._find({"_id": {"$in": list(referral_ids)}}, {"keys": 1})
        return {document["_id"]: document.get("keys", {}) for document in found}

    def _find(self, query: Mapping[str, Any], fields: Mapping[str, int] | None) -> list[dict[str, Any]]:
        with answering():
            return list(self._collection.find(query, fields))
