"""What lies in the local store's file: every kind of value comes back, and a file of another form is refused."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import Int64, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DeleteOne, MongoClient, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.cli.local import jars

pytestmark = pytest.mark.integration

OTHER_FORM = 78
AN_EARLIER_ONE = """
import org.h2.mvstore.MVStore;
public final class Earlier {
    public static void main(String[] arguments) {
        try (MVStore store = new MVStore.Builder().fileName(arguments[0]).open()) {
            store.openMap("databases.intake.referrals").put("one", "in another form");
            store.commit();
        }
    }
}
"""
Options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)


@pytest.fixture(scope="module", autouse=True)
def _jars() -> None:
    jars.fetch("mongo")


def java(*words: str) -> list[str]:
    return [
        "java",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        jars.classpath("mongo"),
        *words,
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def served(file: Path) -> Iterator[Any]:
    """A collection of a store on this file, which is killed at the end."""
    port = free_port()
    with subprocess.Popen(java("LocalMongo", str(file), str(port)), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "listening" in process.stderr.readline()
            with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{port}") as client:
                yield client.get_database("tests", Options).things
        finally:
            process.kill()


def test_every_kind_of_value_comes_back_after_a_kill(tmp_path: Path) -> None:
    document = {
        "_id": "naïve ключ 🔑",
        "none": None,
        "yes": True,
        "small": 7,
        "large": Int64(2**40),
        "real": 0.25,
        "text": "",
        "bytes": bytes(range(256)),
        "when": datetime(2026, 3, 29, 1, 30, 0, 123000, tzinfo=UTC),
        "uuid": uuid.uuid4(),
        "object": ObjectId(),
        "nested": {"list": [1, "two", None, {"three": [b"3"]}], "empty": {}, "none": []},
    }
    with served(tmp_path / "store.mv") as things:
        things.create_index([("_id", ASCENDING), ("revision", ASCENDING)], unique=True)
        things.insert_many([document, *({"_id": f"{number}", "revision": number} for number in range(500))])

    with served(tmp_path / "store.mv") as things:
        assert things.find_one({"_id": document["_id"]}) == document
        assert list(things.find_one({"_id": document["_id"]})) == list(document), "in the order of its fields"
        assert things.find_one({"_id": "77", "revision": 77}) == {"_id": "77", "revision": 77}
        assert things.find_one({"_id": "77", "revision": 78}) is None
        with pytest.raises(DuplicateKeyError):
            things.insert_one({"_id": "77", "revision": 9})


def test_what_was_added_changed_and_removed_is_found_without_an_index_in_either_order(tmp_path: Path) -> None:
    with served(tmp_path / "store.mv") as things:
        assert things.count_documents({}) == 0
        things.insert_many([{"_id": f"{number}", "number": number, "of": []} for number in range(9)])
        things.update_one({"_id": "4"}, {"$push": {"of": {"r": "one"}}})
        things.update_many({"number": {"$gte": 7}}, {"$set": {"late": True}})
        things.replace_one({"_id": "0"}, {"number": 100})
        assert things.delete_one({"_id": "5"}).deleted_count == 1
        assert things.delete_one({"_id": "5"}).deleted_count == 0
        things.insert_one({"_id": "9", "number": 9})

    with served(tmp_path / "store.mv") as things:
        in_order = ["0", "1", "2", "3", "4", "6", "7", "8", "9"]
        assert [found["_id"] for found in things.find()] == in_order
        assert [found["_id"] for found in things.find().sort("$natural", -1)] == in_order[::-1]
        assert [found["_id"] for found in things.find().sort("number", -1).limit(3)] == ["0", "9", "8"]
        assert things.find_one({"of.r": "one"}) == {"_id": "4", "number": 4, "of": [{"r": "one"}]}
        assert [found["number"] for found in things.find({"late": True})] == [7, 8]
        assert things.find_one({"_id": "0"}) == {"_id": "0", "number": 100}
        assert things.count_documents({}) == len(in_order)


def test_an_index_tells_kinds_of_keys_apart(tmp_path: Path) -> None:
    keys = ["1", 1, 2.5, True, None, b"1", {"a": 1}, ObjectId(), datetime(2026, 1, 1, tzinfo=UTC)]
    with served(tmp_path / "store.mv") as things:
        things.create_index([("key", ASCENDING)], unique=True)
        things.insert_many([{"_id": place, "key": key} for place, key in enumerate(keys)])

    with served(tmp_path / "store.mv") as things:
        for place, key in enumerate(keys):
            assert [found["_id"] for found in things.find({"key": key})] == [place]
            with pytest.raises(DuplicateKeyError):
                things.insert_one({"_id": 100 + place, "key": key})
        with pytest.raises(DuplicateKeyError):
            things.insert_one({"_id": 99, "key": 1.0})


def test_a_sparse_index_by_one_field_holds_what_has_the_field_and_answers_as_a_scan_would(tmp_path: Path) -> None:
    def at(minute: int) -> datetime:
        return datetime(2026, 3, 29, 1, minute, 0, 5000, tzinfo=UTC)

    with served(tmp_path / "store.mv") as things:
        things.insert_many([{"_id": f"early {number}", "view": {"at": at(number)}} for number in range(5)])
        for field in ("pending", "view.at", "view.of", "nowhere"):
            things.create_index([(field, ASCENDING)], sparse=True)
        things.insert_many([{"_id": f"{number}", "view": {"at": at(40 - number)}} for number in range(30)])
        things.insert_many([{"_id": f"none {number}", "view": {"at": None}} for number in range(5)])
        things.update_many({"_id": {"$in": ["3", "4", "5"]}}, {"$set": {"pending": True, "view.of": ["a", "b"]}})
        things.update_one({"_id": "4"}, {"$unset": {"pending": ""}, "$set": {"view.at": at(59), "view.of": ["b"]}})
        assert things.delete_one({"_id": "5"}).deleted_count == 1

    with served(tmp_path / "store.mv") as things:
        kept = things.database.command("validate", "things")["keysPerIndex"]
        assert [kept[f"{field}_1"] for field in ("pending", "view.at", "view.of", "nowhere")] == [1, 34, 3, 0]
        asked = [
            {"pending": True},
            {"view.of": "b"},
            {"view.of": "c"},
            {"view.at": at(59)},
            {"view.at": {"$lt": at(13)}},
            {"view.at": {"$lte": at(13)}},
            {"view.at": {"$gt": at(37)}},
            {"view.at": {"$gte": at(37)}, "view.of": "a"},
            {"view.at": {"$lt": at(37), "$gt": at(13)}},
        ]
        by_index = [[found["_id"] for found in things.find(query)] for query in asked]
        things.drop_indexes()
        assert by_index == [[found["_id"] for found in things.find(query)] for query in asked]
        assert by_index[:4] == [["3"], ["3", "4"], [], ["4"]]


def test_a_large_answer_comes_in_messages_that_a_driver_takes(tmp_path: Path) -> None:
    large = [{"_id": number, "text": "x" * 2_000_000} for number in range(30)]
    with served(tmp_path / "store.mv") as things:
        for document in large:
            things.insert_one(document)

        assert list(things.find()) == large
        assert list(things.find({"_id": {"$in": list(range(25, 40))}})) == large[25:]
        assert [found["_id"] for found in things.find({}, {"_id": 1}, batch_size=7)] == list(range(30))


def test_what_is_more_than_a_message_is_counted_changed_and_removed_as_a_whole(tmp_path: Path) -> None:
    with served(tmp_path / "store.mv") as things:
        for number in range(30):
            things.insert_one({"_id": number, "old": True, "text": "x" * 2_000_000})

        assert things.count_documents({"old": True}) == 30
        assert len(things.distinct("_id")) == 30
        assert things.update_many({"old": True}, {"$set": {"new": True}}).modified_count == 30
        assert things.delete_many({"new": True}).deleted_count == 30
        assert things.count_documents({}) == 0


def test_of_many_keys_each_is_found_where_it_is_and_none_that_went(tmp_path: Path) -> None:
    """Enough of them that the index grows, and that keys which met in it move up when one goes."""
    went = {f"{number}" for number in range(0, 4_000, 3)}
    with served(tmp_path / "store.mv") as things:
        things.create_index([("_id", ASCENDING), ("revision", ASCENDING)], unique=True)
        things.insert_many([{"_id": f"{number}", "revision": 1} for number in range(4_000)])
        things.bulk_write([DeleteOne({"_id": each}) for each in sorted(went)])
        things.bulk_write([UpdateOne({"_id": f"{odd}"}, {"$set": {"revision": 2}}) for odd in range(1, 4_000, 2)])
        before = _found(things)

    with served(tmp_path / "store.mv") as things:
        assert _found(things) == before
        things.insert_many([{"_id": each, "revision": 3} for each in sorted(went)])
        with pytest.raises(BulkWriteError) as refused:
            things.insert_many([{"_id": f"{number}"} for number in range(4_001)], ordered=False)
        assert len(refused.value.details["writeErrors"]) == 4_000

    assert before == {(f"{each}", 1 + each % 2) for each in range(4_000) if f"{each}" not in went}


def _found(things: Any) -> set[tuple[str, int]]:
    """What a look-up finds, of which a scan finds as much."""
    ids = [f"{number}" for number in range(4_000)]
    found = {(each["_id"], each["revision"]) for each in things.find({"_id": {"$in": ids}})}
    both = [UpdateOne({"_id": each, "revision": revision}, {"$set": {"seen": 1}}) for each, revision in sorted(found)]
    assert things.bulk_write(both).matched_count == len(found) == len(list(things.find()))
    return found


def test_a_key_of_many_values_is_found_by_each_until_it_goes(tmp_path: Path) -> None:
    with served(tmp_path / "store.mv") as things:
        things.create_index([("keys", ASCENDING)], unique=True)
        things.insert_many([{"_id": 1, "keys": ["one", "two", 3]}, {"_id": 2, "keys": ["four"]}, {"_id": 3}])
        things.update_one({"_id": 1}, {"$pull": {"keys": "two"}})

    with served(tmp_path / "store.mv") as things:
        for taken in ("one", 3.0, "four"):
            with pytest.raises(DuplicateKeyError):
                things.insert_one({"_id": 4, "keys": [taken, "two"]})
        things.insert_one({"_id": 5, "keys": ["two"]})
        things.delete_one({"_id": 1})
        things.insert_one({"_id": 6, "keys": ["one", 3]})
        assert [found["_id"] for found in things.find({"keys": {"$in": ["two", "one"]}})] == [6, 5]


def test_a_pattern_is_looked_for_in_the_documents(tmp_path: Path) -> None:
    with served(tmp_path / "store.mv") as things:
        things.insert_many([{"_id": "alpha"}, {"_id": "beta"}, {"_id": "alphabet"}])
        assert [found["_id"] for found in things.find({"_id": {"$regex": "^alpha"}})] == ["alpha", "alphabet"]


def test_a_file_of_another_form_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    file, source = tmp_path / "store.mv", tmp_path / "Earlier.java"
    source.write_text(AN_EARLIER_ONE)
    subprocess.run(java(str(source), str(file)), check=True, timeout=60)

    ended = subprocess.run(
        java("LocalMongo", str(file), str(free_port())), capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == OTHER_FORM
    assert str(file) in ended.stderr
    assert "(form 0, this one reads 3)" in ended.stderr
