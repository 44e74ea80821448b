"""What audit keeps, and how it is written: entries, what lies under each referral and event, and how far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from services import topics
from services.audit.entries import Entry
from services.audit.log.checkpoint import Tree
from services.audit.log.memory import CallbackMemory, Memory
from services.chassis.engine.away import Away

ENTRIES = "entries"
"""One document a record: `_id` is its place in the log; the fields that a search names; the entry's bytes."""
REFERRALS = "referrals"
"""One document a referral: the ids of its entries. One look-up by `_id` serves every store; an array of referrals
in each entry would need an index that the local store does not have."""
EVENTS = "events"
"""One document an event: `_id` is `event_key`, `entry` the first entry of that id; later ones are repeats."""
LOG = "log"
"""What is known of the log: `covered`, up to where this index holds it; `signed`, the tree that was signed last;
`watched`, up to where looks were judged."""
COVERED, SIGNED, WATCHED = "covered", "signed", "watched"
FORM = 4
"""Which fields the documents have: an index of another form is made again from the log and the topics."""
DUPLICATE_KEY = 11000

Placed = tuple[int, Entry]
"""An entry with its place in the log."""


class Index:
    """Made of the log and the topics alone. Every method raises Away where the store does not do what it is asked.

    The log is ahead of it or level with it. Entries go first, how far it came goes last, and each step may be
    repeated: so after a crash between any two of them the same entries come again, and nothing is kept twice.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.saved: Callable[[Sequence[Placed], int], None] = lambda placed, covered: None
        """Told of what was kept, in order, and up to where the log is held then."""
        self._database = database
        self._entries = database[ENTRIES]
        self._referrals = database[REFERRALS]
        self._events = database[EVENTS]
        self._log = database[LOG]

    def prepare(self) -> None:
        """Make the indexes that searches use. The local store has none of this kind and scans instead."""
        fields = ("actor", "partner", "type", "topic", "disclosed")
        orders = [[("at", ASCENDING)], *([(field, ASCENDING), ("at", ASCENDING)] for field in fields)]
        with _answering():
            self._entries.create_indexes([IndexModel(order) for order in orders])

    def covered(self) -> int:
        """How many entries of the log it holds. What an index without this mark, or of another form, holds goes."""
        with _answering():
            found = self._log.find_one({"_id": COVERED})
        if found is None or found.get("form") != FORM:
            self.clear()
            return 0
        size: int = found["size"]
        return size

    def clear(self) -> None:
        """Take everything out that the log and the topics can give again."""
        with _answering():
            # What says how far it came goes first: a half-cleared index must not count as whole.
            self._log.delete_one({"_id": COVERED})
            self._log.delete_one({"_id": WATCHED})
            for collection in (self._entries, self._referrals, self._events):
                collection.delete_many({})

    def covered_now(self) -> int:
        """How many entries of the log it holds; changes nothing."""
        return self._size(COVERED)

    def watched(self) -> int:
        """How many entries of the log were looked through for looks without a task."""
        return self._size(WATCHED)

    def remember_watched(self, size: int) -> None:
        """Note that so many were."""
        with _answering():
            self._log.update_one({"_id": WATCHED}, {"$set": {"size": size}}, upsert=True)

    def _size(self, what: str) -> int:
        with _answering():
            found = self._log.find_one({"_id": what})
        return int(found["size"]) if found else 0

    def ping(self) -> None:
        """See that the store answers."""
        with _answering():
            self._database.command("ping")

    def save(self, placed: Sequence[Placed], covered: int) -> None:
        """Keep the entries, those that are there already as they are; then note that the log is held up to there."""
        with _answering():
            if placed:
                _insert_new(self._entries, [_document(place, entry) for place, entry in placed])
                events = _events(placed)
                if events:
                    _insert_new(self._events, [{"_id": key, "entry": place} for key, place in events.items()])
                listed = [
                    UpdateOne({"_id": referral}, {"$addToSet": {"entries": {"$each": places}}}, upsert=True)
                    for referral, places in _by_referral(placed).items()
                ]
                if listed:
                    self._referrals.bulk_write(listed, ordered=False)
            self._log.update_one({"_id": COVERED}, {"$max": {"size": covered}, "$set": {"form": FORM}}, upsert=True)
        self.saved(placed, covered)

    def memory(self) -> Memory:
        """Remembers in the store which tree was signed last."""
        return CallbackMemory("the store", self._recall, self._remember)

    def _recall(self) -> Tree | None:
        with _answering():
            found = self._log.find_one({"_id": SIGNED})
        return Tree(found["size"], bytes.fromhex(found["root"])) if found else None

    def _remember(self, tree: Tree) -> None:
        with _answering():
            said = {"size": tree.size, "root": tree.root.hex()}
            self._log.update_one({"_id": SIGNED}, {"$set": said}, upsert=True)


def event_key(topic: str, event_id: str) -> str:
    """Under what an event is found. A copy has the id of the fact that it tells of, and a partner chooses the ids of
    its replies: neither may stand before the fact of that id."""
    partner = topics.partner_of(topic)
    return partners_key(partner, event_id) if partner else event_id


def partners_key(partner_id: str, event_id: str) -> str:
    """Under what a partner's copy or reply is found."""
    return f"{partner_id}/{event_id}"


def _insert_new(collection: Any, documents: Sequence[Mapping[str, Any]]) -> None:
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        refused = [found for found in failed if found["code"] != DUPLICATE_KEY]
        if refused or error.details.get("writeConcernErrors"):
            raise


def _events(placed: Iterable[Placed]) -> dict[str, int]:
    """The first place of each event."""
    found: dict[str, int] = {}
    for place, entry in placed:
        if entry.timeline.event_id:
            found.setdefault(event_key(entry.timeline.topic, entry.timeline.event_id), place)
    return found


def _by_referral(placed: Iterable[Placed]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, entry in placed:
        for referral in entry.referrals:
            found.setdefault(referral, []).append(place)
    return found


def _document(place: int, entry: Entry) -> dict[str, Any]:
    timeline = entry.timeline
    # A flagged look is found by whoever looked, not by us who flagged it.
    actor = timeline.looker if timeline.anomaly else timeline.actor
    return {
        "_id": place,
        "at": entry.at,
        "topic": timeline.topic,
        "type": timeline.type,
        "actor": actor.id,
        "role": actor.role,
        "partner": timeline.partner_id,
        "look": timeline.look,
        "operation": timeline.operation,
        "disclosed": entry.disclosed,
        "entry": timeline.SerializeToString(deterministic=True),
    }


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise Away("store", type(error).__name__) from error
