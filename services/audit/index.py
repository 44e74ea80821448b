"""What audit keeps, and how it is written: entries, what lies under each referral, and positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from services.audit.entries import Entry
from services.chassis.engine.away import Away

ENTRIES = "entries"
"""One document a record: `_id` topic/partition/offset, the fields that a search names, the entry's bytes."""
REFERRALS = "referrals"
"""One document a referral: the ids of its entries. One look-up by `_id` serves every store; an array of referrals
in each entry would need an index that the local store does not have."""
POSITIONS = "positions"
"""One document a partition: `_id` topic/partition, and the next offset to read."""
DUPLICATE_KEY = 11000

Place = tuple[str, int]
"""Topic and partition."""


class Index:
    """Written by the sequencer alone. Every method raises Away where the store does not do what it is asked.

    Entries go first, positions last, and each step may be repeated: so after a crash between any two of them the
    same records come again, and nothing is kept twice or skipped.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._entries = database[ENTRIES]
        self._referrals = database[REFERRALS]
        self._positions = database[POSITIONS]

    def prepare(self) -> None:
        """Make the indexes that searches use. The local store has none of this kind and scans instead."""
        fields = ("actor", "partner", "type", "topic")
        orders = [[("at", ASCENDING)], *([(field, ASCENDING), ("at", ASCENDING)] for field in fields)]
        try:
            self._entries.create_indexes([IndexModel(order) for order in orders])
        except PyMongoError as error:
            raise _away(error) from error

    def positions(self) -> dict[Place, int]:
        """The next offset of every partition that was ever read."""
        try:
            stored = list(self._positions.find())
        except PyMongoError as error:
            raise _away(error) from error
        return {_place(document["_id"]): document["next"] for document in stored}

    def ping(self) -> None:
        """See that the store answers."""
        try:
            self._database.command("ping")
        except PyMongoError as error:
            raise _away(error) from error

    def save(self, entries: Sequence[Entry], positions: Mapping[Place, int]) -> None:
        """Keep the entries, those that are there already as they are; then raise the positions behind them."""
        try:
            _insert_new(self._entries, [_document(entry) for entry in entries])
            listed = [
                UpdateOne({"_id": referral}, {"$addToSet": {"entries": {"$each": ids}}}, upsert=True)
                for referral, ids in _by_referral(entries).items()
            ]
            if listed:
                self._referrals.bulk_write(listed, ordered=False)
            self._positions.bulk_write(
                [
                    UpdateOne({"_id": f"{topic}/{partition}"}, {"$max": {"next": offset}}, upsert=True)
                    for (topic, partition), offset in positions.items()
                ],
                ordered=False,
            )
        except PyMongoError as error:
            raise _away(error) from error


def _insert_new(collection: Any, documents: Sequence[Mapping[str, Any]]) -> None:
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        refused = [found for found in failed if found["code"] != DUPLICATE_KEY]
        if refused or error.details.get("writeConcernErrors"):
            raise


def _by_referral(entries: Iterable[Entry]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        for referral in entry.referrals:
            found.setdefault(referral, []).append(entry.id)
    return found


def _document(entry: Entry) -> dict[str, Any]:
    timeline = entry.timeline
    return {
        "_id": entry.id,
        "at": entry.at,
        "topic": timeline.topic,
        "type": timeline.type,
        "actor": timeline.actor.id,
        "partner": timeline.partner_id,
        "entry": timeline.SerializeToString(deterministic=True),
    }


def _place(position_id: str) -> Place:
    topic, _, partition = position_id.rpartition("/")
    return topic, int(partition)


def _away(error: PyMongoError) -> Away:
    return Away("store", type(error).__name__)
