"""The engine's store on MongoDB's protocol: one read, one insert and one update command a turn."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from pymongo import ASCENDING, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from services.chassis.drawn import drawn
from services.chassis.engine.away import Away
from services.chassis.engine.document import Document

DUPLICATE_KEY = 11000
INDEX_NOT_FOUND = 27
WAITING_FIELDS = {"view.clocks": 1, "pending": 1}
TRIES = 4
"""A write whose answer was lost is looked up and repeated this often before the store counts as away."""


class Published(Protocol):
    """That a document's own facts up to `published` are acknowledged, as of `revision`."""

    @property
    def id(self) -> str:
        """Referral."""
        ...

    @property
    def revision(self) -> str:
        """The revision that was published."""
        ...

    @property
    def published(self) -> int:
        """Own facts on the topic."""
        ...


class Store(Protocol):
    """What the engine asks of a store. Every method raises Away when the store does not answer."""

    def load(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """The stored documents among `ids`, in one read."""
        ...

    def save(
        self,
        changed: Sequence[Document[Any]],
        views: Mapping[str, Mapping[str, Any]],
        published: Iterable[Published],
    ) -> set[str]:
        """Save the turn, each document on condition that it is as it was read; raise `published` on the way.

        Returns the ids that were not saved, since someone else was first. Sets the new revision on the others.
        """
        ...

    def waiting(self, until: datetime) -> list[Mapping[str, Any]]:
        """Documents with unpublished facts or a clock that runs out before `until`.

        Only `_id`, `view.clocks` and, where there are such facts, `pending` of each.
        """
        ...


def connect_failures(error: PyMongoError) -> bool:
    """True for what waiting may mend; anything else is our own fault."""
    return isinstance(error, AutoReconnect | ExecutionTimeout | WTimeoutError) or bool(error.timeout)


@contextmanager
def answering() -> Generator[None]:
    """Around a read of a view: a store that does not answer is Away."""
    try:
        yield
    except PyMongoError as error:
        if connect_failures(error):
            raise Away("store", type(error).__name__) from error
        raise


def _as_raise(published: Published) -> UpdateOne:
    """One for each document: the local store finds by the keys of its one index only where each is a single value."""
    return UpdateOne(
        {"_id": published.id, "revision": published.revision},
        {"$max": {"published": published.published}, "$set": {"copies": []}, "$unset": {"pending": ""}},
    )


class MongoStore:
    """The store on a collection of a service's own. Used by the engine's thread alone, but for `load`."""

    def __init__(self, collection: Collection[dict[str, Any]], writer: str, queried: Sequence[str] = ()) -> None:
        """`queried` are the fields of `view` by which documents are found."""
        self._collection = collection
        self._writer = writer
        self._queried = queried

    def prepare(self) -> None:
        """Make the indexes that saves, scans and queries need: sparse, since most documents wait for nothing.

        Under names of their own: stores made before they were sparse have others by the same fields, which go.
        """
        try:
            self._collection.create_index([("_id", ASCENDING), ("revision", ASCENDING)], unique=True)
            known = self._collection.index_information()
            for field in ("pending", "view.next_clock", *(f"view.{name}" for name in self._queried)):
                if f"{field}_1" in known:
                    self._drop_index(f"{field}_1")
                self._collection.create_index([(field, ASCENDING)], name=f"{field}_sparse", sparse=True)
        except PyMongoError as error:
            raise self._away(error) from error

    def _drop_index(self, name: str) -> None:
        try:
            self._collection.drop_index(name)
        except OperationFailure as error:
            if error.code != INDEX_NOT_FOUND:  # another process that starts has dropped it
                raise

    def load(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """See Store."""
        try:
            return list(self._collection.find({"_id": {"$in": list(ids)}}))
        except PyMongoError as error:
            raise self._away(error) from error

    def save(
        self,
        changed: Sequence[Document[Any]],
        views: Mapping[str, Mapping[str, Any]],
        published: Iterable[Published],
    ) -> set[str]:
        """See Store."""
        token = drawn(8).hex()
        inserts = [self._as_new(d, views[d.id], token) for d in changed if d.revision is None]
        updates = {d.id: self._as_update(d, views[d.id], token) for d in changed if d.revision is not None}
        lost = self._insert(inserts, token) | self._update(updates, list(map(_as_raise, published)), token)
        for document in changed:
            if document.id not in lost:
                document.revision = token
        return lost

    def waiting(self, until: datetime) -> list[Mapping[str, Any]]:
        """See Store."""
        asked: tuple[dict[str, Any], ...] = ({"pending": True}, {"view.next_clock": {"$lt": until}})
        found: dict[str, Mapping[str, Any]] = {}
        try:
            for each in asked:  # one by one: the local store answers a query by an index only where it is all of it
                found.update({document["_id"]: document for document in self._collection.find(each, WAITING_FIELDS)})
        except PyMongoError as error:
            raise self._away(error) from error
        return list(found.values())

    def _as_new(self, document: Document[Any], view: Mapping[str, Any], token: str) -> dict[str, Any]:
        new: dict[str, Any] = {
            "_id": document.id,
            "revision": token,
            "facts": document.added,
            "published": 0,
            **({"pending": True} if self._writer in document.added else {}),
            "copies": [asdict(copy) for copy in document.copies],
            "view": view,
        }
        for path, value in document.keeps.items():
            inner = new
            *parents, last = path.split(".")
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = value
        return new

    def _as_update(self, document: Document[Any], view: Mapping[str, Any], token: str) -> UpdateOne:
        pending = document.length(self._writer) > document.published
        drops = [*document.drops, *(() if pending else ("pending",))]
        return UpdateOne(
            {"_id": document.id, "revision": document.revision},
            {
                **({"$unset": dict.fromkeys(drops, "")} if drops else {}),
                "$push": {f"facts.{writer}": {"$each": raws} for writer, raws in document.added.items()},
                "$set": {
                    "revision": token,
                    "published": document.published,
                    **({"pending": True} if pending else {}),
                    "copies": [asdict(copy) for copy in document.copies],
                    "view": view,
                    **{path: value for path, value in document.keeps.items() if path not in document.drops},
                },
            },
        )

    def _insert(self, inserts: list[dict[str, Any]], token: str) -> set[str]:
        lost: set[str] = set()
        for attempt in range(TRIES):
            if not inserts:
                break
            try:
                self._collection.insert_many(inserts, ordered=False)
                break
            except BulkWriteError as error:
                foreign = [e for e in error.details["writeErrors"] if e["code"] != DUPLICATE_KEY]
                if foreign:
                    raise
                refused = {inserts[e["index"]]["_id"] for e in error.details["writeErrors"]}
                # After a lost answer the first try may have stored them: those carry our token.
                lost = refused - (self._ours(refused, token) if attempt else set())
                break
            except PyMongoError as error:
                if not connect_failures(error) or attempt == TRIES - 1:
                    raise self._away(error) from error
        return lost

    def _update(self, updates: Mapping[str, UpdateOne], raises: Sequence[UpdateOne], token: str) -> set[str]:
        if not updates and not raises:
            return set()
        for attempt in range(TRIES):
            try:
                # Raises come last: what they match is not part of this turn.
                result = self._collection.bulk_write([*updates.values(), *raises], ordered=False)
                if result.matched_count == len(updates) + len(raises):
                    return set()
                break
            except PyMongoError as error:
                if not connect_failures(error) or attempt == TRIES - 1:
                    raise self._away(error) from error
        return set(updates) - self._ours(updates, token)

    def _ours(self, ids: Iterable[str], token: str) -> set[str]:
        """Those that carry this save's token: the one honest answer to what a write without an answer did."""
        wanted = list(ids)
        if not wanted:
            return set()
        try:
            found = self._collection.find({"_id": {"$in": wanted}}, {"revision": 1})  # by its ids alone, or it scans
            return {document["_id"] for document in found if document.get("revision") == token}
        except PyMongoError as error:
            raise self._away(error) from error

    def _away(self, error: PyMongoError) -> Exception:
        return Away("store", type(error).__name__) if connect_failures(error) else error
