"""What the store is asked by: ids alone, or single values of its one index. By anything else the local store scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from services.chassis.engine.document import Document
from services.chassis.engine.store import MongoStore


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
