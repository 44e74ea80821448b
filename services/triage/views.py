"""What triage's store answers: the worklist, and one referral as the desk needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pymongo.collection import Collection

from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.engine.document import Document, fold
from services.chassis.engine.store import answering
from services.known import NOTHING, Known, learned
from services.triage.domain import INTAKE, State, TriageDecider


def known_of(stored: Mapping[str, Any]) -> Known:
    """What intake's facts of a stored document say."""
    facts = (IntakeFact.FromString(bytes(raw)) for raw in stored["facts"].get(INTAKE, ()))
    return reduce(learned, facts, NOTHING)


class Referrals:
    """Reads triage's documents. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self._decider = TriageDecider()

    def find(self, referral_id: str) -> Document[State] | None:
        """The referral, or None."""
        with answering():
            stored = self._collection.find_one({"_id": referral_id})
        return fold(self._decider, stored) if stored else None

    def known(self, referral_ids: Sequence[str]) -> dict[str, Known]:
        """What intake's facts say of many referrals, in one read; absent for those that do not exist."""
        with answering():
            found = list(self._collection.find({"_id": {"$in": list(referral_ids)}}, {f"facts.{INTAKE}": 1}))
        return {stored["_id"]: known_of(stored) for stored in found}

    def waiting(self, limit: int) -> list[Document[State]]:
        """What waits for the desk: the gravest first, and of those what must be decided soonest."""
        with answering():
            found = (
                self._collection.find({"view.waiting": True})
                .sort([("view.grade", -1), ("view.decide_by", 1)])
                .limit(limit)
            )
            stored: list[Mapping[str, Any]] = list(found)
        return [fold(self._decider, document) for document in stored]
