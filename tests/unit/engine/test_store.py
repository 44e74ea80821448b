"""What the store is asked by: ids alone, or single values of its one index. By anything else the local store scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from services.chassis.engine.away import Away
from services.chassis.engine.document import Document
from services.chassis.engine.store import MongoStore, connect_failures


class Asked:
    """A collection that notes by what it is asked, and whose documents have all moved on."""

    def __init__(self) -> None:
        self.by: list[Mapping[str, Any]] = []

    def bulk_write(self, writes: Sequence[Any], ordered: bool) -> Any:
        self.by += [write._filter for write in writes]
        return SimpleNamespace(matched_count=0)

    def find(self, by: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        self.by.append(by)
        return [{"_id": name, "revision": "of another"} for name in by["_id"]["$in"]]


@dataclass(frozen=True)
class Raised:
    """That a document's facts are published."""

    id: str
    revision: str
    published: int = 1


def test_a_save_asks_by_ids_alone_or_by_one_id_and_one_revision() -> None:
    collection: Any = Asked()
    changed = [Document("one", None, "r1"), Document("two", None, "r2")]
    published = [Raised("three", "r3"), Raised("four", "r3")]

    lost = MongoStore(collection, "triage").save(changed, {"one": {}, "two": {}}, published)

    assert lost == {"one", "two"}, "they were changed by another meanwhile"
    assert collection.by == [
        {"_id": "one", "revision": "r1"},
        {"_id": "two", "revision": "r2"},
        {"_id": "three", "revision": "r3"},
        {"_id": "four", "revision": "r3"},
        {"_id": {"$in": ["one", "two"]}},
    ]


class Indexes:
    """What MongoDB 8 makes of indexes: none twice under two names, and none anew under its name with other options."""

    def __init__(self, known: Mapping[str, tuple[list[Any], bool]]) -> None:
        self.known = dict(known)
        self.dropped: list[str] = []
        self.unique: list[str] = []

    def create_index(
        self, keys: Sequence[tuple[str, int]], name: str = "", unique: bool = False, sparse: bool = False
    ) -> None:
        name = name or "_".join(f"{field}_{order}" for field, order in keys)
        wanted = ([tuple(key) for key in keys], sparse)
        if name in self.known and self.known[name] != wanted:
            raise OperationFailure("same name, other options", 86, {"codeName": "IndexKeySpecsConflict"})
        if any(found == wanted for other, found in self.known.items() if other != name):
            raise OperationFailure("same options, other name", 85, {"codeName": "IndexOptionsConflict"})
        self.known[name] = wanted
        if unique:
            self.unique.append(name)

    def index_information(self) -> Mapping[str, Any]:
        return dict(self.known)

    def drop_index(self, name: str) -> None:
        if name not in self.known:
            raise OperationFailure("no such index", 27, {"codeName": "IndexNotFound"})
        self.dropped.append(name)
        del self.known[name]


@pytest.mark.parametrize("sparse", [None, False, True], ids=["new", "before they were sparse", "before their names"])
def test_a_store_of_any_age_is_prepared_and_then_left_as_it_is(sparse: bool | None) -> None:
    fields = ["pending", "view.next_clock", "view.waiting"]
    old = {} if sparse is None else {f"{field}_1": ([(field, 1)], sparse) for field in fields}
    collection: Any = Indexes(old)
    store = MongoStore(collection, "triage", ["waiting"])

    store.prepare()
    store.prepare()

    assert collection.dropped == list(old)
    assert set(collection.known) == {"_id_1_revision_1", *(f"{field}_sparse" for field in fields)}
    assert all(collection.known[f"{field}_sparse"] == ([(field, 1)], True) for field in fields)
    assert set(collection.unique) == {"_id_1_revision_1"}, "or a save by id and revision reads them all"


def fails(error: Exception) -> Any:
    def with_it(*_: Any, **__: Any) -> None:
        raise error

    return with_it


def test_of_two_processes_that_start_the_second_does_without_what_the_first_has_dropped() -> None:
    collection: Any = Indexes({})
    old = {"pending_1": ([("pending", 1)], False), **collection.known}
    collection.index_information = lambda: old  # as it was a moment ago

    MongoStore(collection, "triage").prepare()

    assert "pending_sparse" in collection.known


@pytest.mark.parametrize("call", ["create_index", "drop_index"])
def test_a_store_that_refuses_is_not_taken_for_one_that_is_away(call: str) -> None:
    collection: Any = Indexes({"pending_1": ([("pending", 1)], True)})
    setattr(collection, call, fails(OperationFailure("not authorized", 13, {"codeName": "Unauthorized"})))

    with pytest.raises(OperationFailure, match="not authorized"):
        MongoStore(collection, "triage").prepare()


@pytest.mark.parametrize("call", ["create_index", "index_information", "drop_index"])
def test_a_store_that_does_not_answer_is_away(call: str) -> None:
    collection: Any = Indexes({"pending_1": ([("pending", 1)], True)})
    setattr(collection, call, fails(AutoReconnect("no server")))

    with pytest.raises(Away):
        MongoStore(collection, "triage").prepare()


LATE = {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "late", "errInfo": {"wtimeout": True}}]}


@pytest.mark.parametrize(
    ("error", "mended_by_waiting"),
    [
        (AutoReconnect("gone"), True),
        (ServerSelectionTimeoutError("none"), True),
        (ExecutionTimeout("slow"), True),
        (WTimeoutError("slow"), True),
        (WaitQueueTimeoutError("full"), True),
        (BulkWriteError(LATE), True),
        (BulkWriteError({"writeErrors": [{"code": 2}], "writeConcernErrors": []}), False),
        (OperationFailure("no", 13), False),
        (ConfigurationError("no"), False),
    ],
)
def test_only_what_does_not_answer_in_time_is_waited_for(error: PyMongoError, mended_by_waiting: bool) -> None:
    assert connect_failures(error) is mended_by_waiting
