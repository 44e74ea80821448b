"""Which referrals share a match key: an index of triage's own, of hashes that were hashed again under its own key.

Whoever has the store and no key learns which referrals share something, as the `linked` facts say anyway, and not
what: neither a name nor a guess of one can be tried without intake's linking key and triage's index key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pymongo import ASCENDING, UpdateOne
from pymongo.collection import Collection as MongoCollection
from pymongo.errors import BulkWriteError

from safeguarding.v1.common_pb2 import MatchKey
from services.chassis.engine.store import DUPLICATE_KEY, answering
from services.chassis.keyed import Keyed

MOST_KEPT = 100
"""Of one match key the newest so many count: more share only what tells nothing, such as a hospital's telephone."""
CUT_AT = MOST_KEPT * 3 // 2
"""So many are cut back to those, and not at each that is added: it takes a round trip of its own."""
COLLECTION = "links"
PLACE = 0
"""Stands where a subject's number would, for what belongs to the place."""


class Entry(NamedTuple):
    """A subject of a referral that has a match key, and what a link to it needs to say."""

    referral_id: str
    subject: int
    raised_at_ms: int
    kinds: tuple[int, ...]
    role: int = 0
    """What the subject is to the concern; 0 for the place."""
    raiser: str = ""
    """Who raised it for themselves, as role and id; empty where somebody did whose work it is."""


Key = tuple[int, bytes]
"""Kind and hash of a match key, as intake made it."""


def key_of(match_key: MatchKey) -> Key:
    """The key as the index is asked for it."""
    return match_key.kind, match_key.hash


class Buckets(Protocol):
    """Where entries are kept, by an opaque id."""

    def add(self, entries: Mapping[str, Sequence[Entry]]) -> Mapping[str, Sequence[Entry]]:
        """Add, then read: of each id that was there before, all entries; so that of two who add, one sees both."""
        ...

    def forget(self, referral_id: str, subjects: Collection[int]) -> None:
        """Take the entries of these subjects away."""
        ...


class Index:
    """Adds and finds by match key."""

    def __init__(self, buckets: Buckets, index_key: bytes) -> None:
        self._buckets = buckets
        self._keyed = Keyed(index_key)

    def add(self, entries: Mapping[Key, Sequence[Entry]]) -> dict[Key, Sequence[Entry]]:
        """Add entries; of each key, all its entries now, those just added among them."""
        ids = {key: self._id(key) for key in entries}
        found = self._buckets.add({ids[key]: added for key, added in entries.items()})
        return {key: found.get(ids[key], added) for key, added in entries.items()}

    def forget(self, referral_id: str, subjects: Collection[int]) -> None:
        """See Buckets."""
        self._buckets.forget(referral_id, subjects)

    def _id(self, key: Key) -> str:
        kind, made = key
        return self._keyed.digest(kind.to_bytes(1, "big") + made)[:16].hex()


class MongoBuckets:
    """Buckets in a collection: a document each, found by its id alone, since the local store has no other quick way.

    At most three round trips to add: inserts, and for what was there already one update and one read; seldom a fourth
    that cuts. A turn that met something away comes again, in this process or another, and nobody knows how far it had
    come: what is added is a set, so that each entry is in it once. Used by one thread.
    """

    def __init__(self, collection: MongoCollection[dict[str, Any]]) -> None:
        self._collection = collection

    def prepare(self) -> None:
        """Make the index by which an erasure finds its entries; the local store scans instead."""
        with answering():
            self._collection.create_index([("of.r", ASCENDING)])

    def add(self, entries: Mapping[str, Sequence[Entry]]) -> Mapping[str, Sequence[Entry]]:
        """See Buckets."""
        if not entries:
            return {}
        with answering():
            present = self._insert(entries)
            if not present:
                return {}
            self._collection.bulk_write(
                [
                    UpdateOne({"_id": each}, {"$addToSet": {"of": {"$each": [_stored(e) for e in entries[each]]}}})
                    for each in present
                ],
                ordered=False,
            )
            found = {bucket["_id"]: bucket["of"] for bucket in self._collection.find({"_id": {"$in": present}})}
            self._cut([each for each, held in found.items() if len(held) > CUT_AT])
            return {each: [_entry(stored) for stored in held[-MOST_KEPT:]] for each, held in found.items()}

    def forget(self, referral_id: str, subjects: Collection[int]) -> None:
        """See Buckets."""
        with answering():
            self._collection.update_many(
                {"of.r": referral_id}, {"$pull": {"of": {"r": referral_id, "s": {"$in": sorted(subjects)}}}}
            )

    def _cut(self, overfull: Sequence[str]) -> None:
        """Only the newest stay."""
        newest = {"$push": {"of": {"$each": [], "$slice": -MOST_KEPT}}}
        if overfull:
            self._collection.bulk_write([UpdateOne({"_id": each}, newest) for each in overfull], ordered=False)

    def _insert(self, entries: Mapping[str, Sequence[Entry]]) -> list[str]:
        """Insert what is new; the ids of what was there already."""
        ids = list(entries)
        new = [{"_id": each, "of": [_stored(entry) for entry in entries[each]]} for each in ids]
        try:
            self._collection.insert_many(new, ordered=False)
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if any(each["code"] != DUPLICATE_KEY for each in errors):
                raise
            return [ids[each["index"]] for each in errors]
        return []


def _stored(entry: Entry) -> dict[str, Any]:
    said = {"r": entry.referral_id, "s": entry.subject, "t": entry.raised_at_ms, "k": list(entry.kinds)}
    return {**said, "p": entry.role, "b": entry.raiser}


def _entry(stored: Mapping[str, Any]) -> Entry:
    return Entry(stored["r"], stored["s"], stored["t"], tuple(stored["k"]), stored["p"], stored["b"])
