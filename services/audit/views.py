"""Queries over the index: the timeline of a referral, and searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from safeguarding.v1.access_pb2 import ACCESS_KIND_FLAGGED, AccessFact
from safeguarding.v1.audit_pb2 import (
    SIGHT_ANY,
    SIGHT_DISCLOSURE,
    SIGHT_FLAGGED,
    SIGHT_LOOK,
    SearchRequest,
    TimelineEntry,
)
from services.audit.index import COVERED, ENTRIES, EVENTS, LOG, REFERRALS
from services.chassis.deciding import Refused, Why
from services.chassis.engine.store import answering

IDS_AT_ONCE = 1_000
_FIELDS = {"at": 1, "entry": 1}
_BY = (
    ("actor_id", "actor"),
    ("actor_role", "role"),
    ("partner_id", "partner"),
    ("type", "type"),
    ("topic", "topic"),
    ("look", "look"),
    ("operation", "operation"),
)
"""Fields of a search, and where documents have them."""
_LOOKED: Mapping[str, Any] = {"type": AccessFact.DESCRIPTOR.full_name, "look": {"$ne": ACCESS_KIND_FLAGGED}}
_DISCLOSED: Mapping[str, Any] = {"disclosed": True}
_SIGHTS: Mapping[int, Mapping[str, Any]] = {
    SIGHT_LOOK: _LOOKED,
    SIGHT_DISCLOSURE: _DISCLOSED,
    SIGHT_ANY: {"$or": [_LOOKED, _DISCLOSED]},
    SIGHT_FLAGGED: {"look": ACCESS_KIND_FLAGGED},
}

Stored = Mapping[str, Any]
"""What is read of a document: `_id`, `at` and `entry`."""


@dataclass(frozen=True, slots=True)
class Results:
    """The answer to a search."""

    entries: Sequence[TimelineEntry]
    next_page: str
    """Empty where there are no more."""
    searched: int
    """How many entries of the log the index held before the search."""


class Views:
    """Reads the index. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._entries = database[ENTRIES]
        self._referrals = database[REFERRALS]
        self._events = database[EVENTS]
        self._log = database[LOG]

    def timeline(self, referral_id: str) -> list[TimelineEntry]:
        """Every record about the referral, and every look at it, oldest first; empty where there is none."""
        return [_entry(found) for found in self._under(referral_id, {})]

    def at(self, places: Sequence[int]) -> list[TimelineEntry]:
        """The entries at these places of the log, in its order.

        Asked for by `_id` and nothing else: with more, the local store scans them all.
        """
        with answering():
            found = list(self._entries.find({"_id": {"$in": list(places)}}, _FIELDS))
        return [_entry(document) for document in sorted(found, key=lambda document: document["_id"])]

    def first(self, event_key: str) -> TimelineEntry | None:
        """The first entry of an event (see `index.event_key`)."""
        with answering():
            event = self._events.find_one({"_id": event_key})
            found = event and self._entries.find_one({"_id": event["entry"]}, _FIELDS)
        return _entry(found) if found else None

    def search(self, request: SearchRequest) -> Results:
        """The oldest entries that have all that is asked for, at most `limit`. Raises Refused for a time that is none.

        Those of one time come in the order of the log, so that pages neither overlap nor leave anything out.
        """
        query = _query(request)
        with answering():
            covered = self._log.find_one({"_id": COVERED})
        if request.referral_id:
            found = self._under(request.referral_id.lower(), query)[: request.limit + 1]
        else:
            with answering():
                order = [("at", ASCENDING), ("_id", ASCENDING)]
                found = list(self._entries.find(query, _FIELDS).sort(order).limit(request.limit + 1))
        given = found[: request.limit]
        more = len(found) > request.limit
        next_page = f"{given[-1]['at']}:{given[-1]['_id']}" if more else ""
        return Results([_entry(document) for document in given], next_page, covered["size"] if covered else 0)

    def _under(self, referral_id: str, query: Stored) -> list[Stored]:
        """What lies under the referral and meets the query, oldest first."""
        found: list[Stored] = []
        with answering():
            listed = self._referrals.find_one({"_id": referral_id})
            ids = listed["entries"] if listed else []
            for start in range(0, len(ids), IDS_AT_ONCE):
                some = {"_id": {"$in": ids[start : start + IDS_AT_ONCE]}}
                found += self._entries.find({"$and": [some, query]} if query else some, _FIELDS)
        return sorted(found, key=lambda document: (document["at"], document["_id"]))


def _query(request: SearchRequest) -> Stored:
    asked: list[Stored] = [{field: value} for name, field in _BY if (value := getattr(request, name))]
    if request.sight:
        asked.append(_SIGHTS[request.sight])
    asked += [
        {"at": {operator: _microseconds(request, name)}}
        for name, operator in (("from", "$gte"), ("until", "$lt"))
        if request.HasField(name)  # type: ignore[arg-type]  # one of the two names above
    ]
    if request.page:
        at, place = map(int, request.page.split(":"))
        asked.append({"$or": [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": place}}]})
    return {"$and": asked} if asked else {}


def _microseconds(request: SearchRequest, name: str) -> int:
    try:
        microseconds: int = getattr(request, name).ToMicroseconds()
    except (ValueError, OverflowError):
        raise Refused(Why.INVALID, "no such time", "give a time between the years 1 and 9999", field=name) from None
    return microseconds


def _entry(stored: Stored) -> TimelineEntry:
    entry = TimelineEntry.FromString(stored["entry"])
    entry.place = stored["_id"]
    return entry
