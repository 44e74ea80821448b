"""Queries over the index: the timeline of a referral, and searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from safeguarding.v1.audit_pb2 import SearchRequest, TimelineEntry
from services.audit.index import ENTRIES, EVENTS, REFERRALS
from services.chassis.deciding import Refused, Why
from services.chassis.engine.store import answering

IDS_AT_ONCE = 1_000
_FIELDS = {"at": 1, "entry": 1}
_BY = (("actor_id", "actor"), ("partner_id", "partner"), ("type", "type"), ("topic", "topic"))
"""Fields of a search, and where documents have them."""


class Views:
    """Reads the index. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._entries = database[ENTRIES]
        self._referrals = database[REFERRALS]
        self._events = database[EVENTS]

    def timeline(self, referral_id: str) -> list[TimelineEntry]:
        """Every record about the referral, and every look at it, oldest first; empty where there is none."""
        with answering():
            listed = self._referrals.find_one({"_id": referral_id})
            ids = listed["entries"] if listed else []
            found: list[dict[str, Any]] = []
            for start in range(0, len(ids), IDS_AT_ONCE):
                some = {"_id": {"$in": ids[start : start + IDS_AT_ONCE]}}
                found += self._entries.find(some, _FIELDS)
        return _oldest_first(found)

    def first(self, event_key: str) -> tuple[int, TimelineEntry] | None:
        """The first entry of an event (see `index.event_key`), with its place in the log."""
        with answering():
            event = self._events.find_one({"_id": event_key})
            found = event and self._entries.find_one({"_id": event["entry"]})
        return (found["_id"], TimelineEntry.FromString(found["entry"])) if found else None

    def search(self, request: SearchRequest) -> tuple[list[TimelineEntry], bool]:
        """The oldest entries that have all that is asked for, at most `limit`; and whether there are more.

        Raises Refused for a time that is none.
        """
        query = _query(request)
        with answering():
            # Those with one time are told apart by id, so that the limit always cuts at the same place.
            order = [("at", ASCENDING), ("_id", ASCENDING)]
            found = list(self._entries.find(query, _FIELDS).sort(order).limit(request.limit + 1))
        return _oldest_first(found[: request.limit]), len(found) > request.limit


def _query(request: SearchRequest) -> dict[str, Any]:
    query: dict[str, Any] = {field: value for name, field in _BY if (value := getattr(request, name))}
    times = {
        operator: _microseconds(request, name)
        for name, operator in (("from", "$gte"), ("until", "$lt"))
        if request.HasField(name)  # type: ignore[arg-type]  # one of the two names above
    }
    return {**query, "at": times} if times else query


def _microseconds(request: SearchRequest, name: str) -> int:
    try:
        microseconds: int = getattr(request, name).ToMicroseconds()
    except (ValueError, OverflowError):
        raise Refused(Why.INVALID, "no such time", "give a time between the years 1 and 9999", field=name) from None
    return microseconds


def _oldest_first(found: Sequence[Mapping[str, Any]]) -> list[TimelineEntry]:
    pairs = [(document["at"], TimelineEntry.FromString(document["entry"])) for document in found]
    pairs.sort(key=lambda pair: (pair[0], pair[1].topic, pair[1].partition, pair[1].offset))
    return [entry for _, entry in pairs]
