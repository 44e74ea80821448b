"""kill -9 of the store in the middle of writes leaves each document whole: with all its index entries, or absent.

And a store that cannot write ends by itself, and goes on from what it acknowledged once it is started again.
"""

import resource
import threading
import time
from collections.abc import Callable

import pytest
from pymongo import ASCENDING, MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from services.cli.local import processes
from services.cli.local.stack import Stack

pytestmark = pytest.mark.integration

KILLS = 4
READ_KILLS = 2
WRITERS = 5
WRITE_SECONDS = 2.0
AT_ONCE = 20
ENDS_SECONDS = 60.0
ROOM_BYTES = 4 << 20
Documents = Collection[dict[str, object]]


def test_a_kill_parts_no_document_from_its_index_entries_and_loses_no_acknowledged_write(stack: Stack) -> None:
    acknowledged: dict[tuple[str, str], int] = {}
    parted: list[str] = []
    lost: list[str] = []
    for kill in range(KILLS):
        _write_until_killed(stack, kill, acknowledged)
        with MongoClient[dict[str, object]](stack.mongo_url) as client:
            for writer in range(WRITERS):
                collection = client.tests[f"whole{writer}"]
                held = {str(document["_id"]): document["revision"] for document in collection.find()}
                parted += _parted(collection, {name: held[name] for name in held if name.startswith(f"{kill}-")})
                lost += [
                    name
                    for (place, name), revision in acknowledged.items()
                    if place == collection.name and held.get(name) not in range(revision, 2)
                ]

    assert len(acknowledged) > KILLS * AT_ONCE, "the kills came in the middle of writes"
    assert parted == []
    assert lost == []


def test_nobody_is_shown_what_a_kill_takes_back(stack: Stack) -> None:
    """Readers ask for what is being written; whatever they were shown is there after the kill."""
    shown: dict[tuple[str, str], int] = {}
    taken_back: list[str] = []
    for kill in range(READ_KILLS):
        _write_until_killed(stack, 100 + kill, {}, shown)
        with MongoClient[dict[str, object]](stack.mongo_url) as client:
            for writer in range(WRITERS):
                names = {name: revision for (place, name), revision in shown.items() if place == f"whole{writer}"}
                found = client.tests[f"whole{writer}"].find({"_id": {"$in": list(names)}})
                held = {str(document["_id"]): document["revision"] for document in found}
                taken_back += [name for name, revision in names.items() if held.get(name) not in range(revision, 2)]

    assert len(shown) > READ_KILLS * AT_ONCE, "readers saw what was being written"
    assert taken_back == []


def test_a_store_that_cannot_write_ends_and_is_started_again_with_all_that_it_acknowledged(stack: Stack) -> None:
    """As on a full disk: its file may grow a little and no more. Only the process that runs now is held to that."""
    acknowledged: dict[tuple[str, str], int] = {}
    stack.wait_ready(["mongo"])
    victim = stack.process("mongo")
    assert victim is not None
    size = (stack.home.data / "mongo" / "store.mv").stat().st_size + ROOM_BYTES
    resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    _writer(stack, "full", "full", acknowledged, threading.Event(), [])()  # until it is refused

    assert acknowledged, "it took some before its file was full"
    assert not processes.wait_for_end([victim], ENDS_SECONDS), "a process that cannot commit must not stay"
    stack.wait_ready(["mongo"])
    with MongoClient[dict[str, object]](stack.mongo_url) as client:
        held = {str(document["_id"]): document["revision"] for document in client.tests.full.find()}
        client.tests.full.insert_one({"_id": "after", "revision": 0})
    assert [name for (_, name), revision in acknowledged.items() if held.get(name) not in range(revision, 2)] == []


def _parted(collection: Documents, held: dict[str, object]) -> list[str]:
    """Documents that a scan finds, and a look-up by `_id` or by `_id` and revision does not."""
    if not held:
        return []
    by_id = {str(document["_id"]) for document in collection.find({"_id": {"$in": list(held)}})}
    seen = [UpdateOne({"_id": name, "revision": of}, {"$set": {"seen": 1}}) for name, of in held.items()]
    by_both = collection.bulk_write(seen, ordered=False).matched_count
    unfound = [name for name in held if name not in by_id]
    return unfound if by_both == len(held) else [*unfound, f"{len(held) - by_both} by id and revision"]


def _write_until_killed(
    stack: Stack,
    kill: int,
    acknowledged: dict[tuple[str, str], int],
    shown: dict[tuple[str, str], int] | None = None,
) -> None:
    """`shown` takes what readers beside the writers were shown; where there is none, nobody reads."""
    ended = threading.Event()
    tasks = []
    for number in range(WRITERS):
        name, prefix = f"whole{number}", f"{kill}-{number}"
        written: list[str] = []
        tasks.append(_writer(stack, name, prefix, acknowledged, ended, written))
        if shown is not None:
            tasks.append(_reader(stack, name, written, shown, ended))
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    time.sleep(WRITE_SECONDS)  # the load itself
    stack.kill("mongo")
    ended.set()
    for thread in threads:
        thread.join()
    stack.wait_ready(["mongo"])


def _reader(
    stack: Stack, name: str, written: list[str], shown: dict[tuple[str, str], int], ended: threading.Event
) -> Callable[[], None]:
    """Asks for the last of each batch while that is on its way."""

    def read() -> None:
        with MongoClient[dict[str, object]](stack.mongo_url, retryReads=False) as client:
            while not ended.is_set():
                try:
                    for found in client.tests[name].find({"_id": {"$in": written[-1:]}}):
                        shown[name, str(found["_id"])] = int(str(found["revision"]))
                except PyMongoError:  # the kill
                    return

    return read


def _writer(
    stack: Stack,
    name: str,
    prefix: str,
    acknowledged: dict[tuple[str, str], int],
    ended: threading.Event,
    written: list[str],
) -> Callable[[], None]:
    """`written` takes a name of each batch before it is sent."""

    def write() -> None:
        with MongoClient[dict[str, object]](stack.mongo_url, retryWrites=False) as client:
            collection = client.tests[name]
            collection.create_index([("_id", ASCENDING), ("revision", ASCENDING)], unique=True)
            batch = 0
            while not ended.is_set():
                names = [f"{prefix}-{batch}-{number}" for number in range(AT_ONCE)]
                batch += 1
                written.append(names[-1])
                try:
                    collection.insert_many(
                        [{"_id": name, "revision": 0, "raw": b"x" * 1_500} for name in names], ordered=False
                    )
                    acknowledged.update({(collection.name, name): 0 for name in names})
                    changes = [UpdateOne({"_id": name, "revision": 0}, {"$set": {"revision": 1}}) for name in names]
                    collection.bulk_write(changes, ordered=False)
                    acknowledged.update({(collection.name, name): 1 for name in names})
                except PyMongoError:  # the kill
                    return

    return write
