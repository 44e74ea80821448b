"""The index on the real store: what is added is found, the newest are kept, and it can be made again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from safeguarding.v1.concern_pb2 import Concern
from services.chassis.engine.away import Away
from services.cli.local.stack import Stack
from services.triage.gather import Gatherer
from services.triage.index import COLLECTION, CUT_AT, MOST_KEPT, PLACE, Entry, Index, MongoBuckets
from services.triage.indexing import MADE, Indexing
from services.triage.views import Referrals
from tests.fakes.linking import INDEX_KEY, Linking
from tests.matching.cost import stored_as_heard
from tests.matching.referrals import generated

pytestmark = pytest.mark.integration

KEY = (1, b"k" * 16)
OTHER_KEY = (2, b"k" * 16)


def entry(number: int, subject: int = 1) -> Entry:
    return Entry(str(uuid.UUID(int=number)), subject, number, (3,))


@pytest.fixture
def database(store: Stack) -> Iterator[Database[dict[str, Any]]]:
    store.wait_ready(["mongo"])
    with MongoClient[dict[str, Any]](store.mongo_url, retryWrites=False, tz_aware=True) as client:
        yield client[f"links_{uuid.uuid4().hex[:8]}"]


@pytest.fixture
def buckets(database: Database[dict[str, Any]]) -> MongoBuckets:
    made = MongoBuckets(database[COLLECTION])
    made.prepare()
    return made


def test_entries_of_one_key_are_found_and_those_of_another_are_not(buckets: MongoBuckets) -> None:
    index = Index(buckets, INDEX_KEY)

    assert index.add({KEY: [entry(1)], OTHER_KEY: [entry(2, PLACE)]}) == {KEY: [entry(1)], OTHER_KEY: [entry(2, PLACE)]}
    assert index.add({KEY: [entry(3)]}) == {KEY: [entry(1), entry(3)]}
    assert Index(buckets, b"o" * 32).add({KEY: [entry(4)]}) == {KEY: [entry(4)]}


def test_the_newest_of_a_key_are_kept(buckets: MongoBuckets) -> None:
    index = Index(buckets, INDEX_KEY)
    for number in range(MOST_KEPT + 9):
        index.add({KEY: [entry(number)]})

    found = index.add({KEY: [entry(MOST_KEPT + 9)]})

    assert [each.raised_at_ms for each in found[KEY]] == list(range(10, MOST_KEPT + 10))


def test_a_batch_that_comes_again_pushes_nothing_out(buckets: MongoBuckets) -> None:
    index = Index(buckets, INDEX_KEY)
    index.add({KEY: [entry(1)]})
    index.add({KEY: [entry(2)]})

    for _ in range(MOST_KEPT):
        index.add({KEY: [entry(3)]})

    assert index.add({KEY: [entry(3)]})[KEY] == [entry(1), entry(2), entry(3)]


class Lost:
    """The collection as a store shows it that goes away at a write of many: before it is done, or before it answers."""

    def __init__(self, collection: Any, *, done: bool) -> None:
        self._collection = collection
        self._done = done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def bulk_write(self, requests: Any, **more: Any) -> Any:
        """Never answers."""
        if self._done:
            self._collection.bulk_write(requests, **more)
        raise AutoReconnect("told to fail")


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_batch_that_lost_the_store_halfway_is_whole_once_it_comes_again(
    database: Database[dict[str, Any]], buckets: MongoBuckets, done: bool, restarted: bool
) -> None:
    added = {KEY: [entry(2)], OTHER_KEY: [entry(2)]}
    Index(buckets, INDEX_KEY).add({KEY: [entry(1)]})
    broken = MongoBuckets(Lost(database[COLLECTION], done=done))  # type: ignore[arg-type]  # all that is asked of one
    with pytest.raises(Away):
        Index(broken, INDEX_KEY).add(added)

    if not restarted:
        broken._collection = database[COLLECTION]  # it is there again
    found = Index(buckets if restarted else broken, INDEX_KEY).add(added)

    assert found == {KEY: [entry(1), entry(2)], OTHER_KEY: [entry(2)]}
    stored = {bucket["_id"]: len(bucket["of"]) for bucket in database[COLLECTION].find({})}
    assert sorted(stored.values()) == [1, 2]


def test_what_tells_nothing_is_cut_back_to_the_newest(
    database: Database[dict[str, Any]], buckets: MongoBuckets
) -> None:
    index = Index(buckets, INDEX_KEY)
    index.add({KEY: [entry(number) for number in range(CUT_AT)]})

    found = index.add({KEY: [entry(CUT_AT)]})

    [bucket] = database[COLLECTION].find({})
    assert len(bucket["of"]) == len(found[KEY]) == MOST_KEPT
    assert [each["t"] for each in bucket["of"]] == [each.raised_at_ms for each in found[KEY]]
    assert found[KEY][-1] == entry(CUT_AT)


def test_what_is_forgotten_is_found_no_more(buckets: MongoBuckets) -> None:
    index = Index(buckets, INDEX_KEY)
    index.add({KEY: [entry(1), entry(1, 2), entry(2)]})

    index.forget(entry(1).referral_id, [1])

    assert index.add({KEY: [entry(3)]})[KEY] == [entry(1, 2), entry(2), entry(3)]


class Made:
    """Thirty referrals that triage heard of, with their index."""

    def __init__(self, database: Database[dict[str, Any]], buckets: MongoBuckets) -> None:
        self.linking = Linking()
        self.database = database
        self.buckets = buckets
        index = Index(buckets, INDEX_KEY)
        self.gatherer = self.linking.gatherer = Gatherer(self.linking.keys, index, Referrals(database["referrals"]))
        self.concerns: list[Concern] = []
        for each in generated(30, 3):
            fact = self.linking.raised(each.concern, each.name, each.at)
            self.linking.hear(fact)
            database["referrals"].insert_one(stored_as_heard(fact))
            self.concerns.append(each.concern)

    def indexing(self, key: bytes = INDEX_KEY) -> Indexing:
        """Looks whether the index is whole."""
        return Indexing(self.database, self.buckets, Index(self.buckets, key), key, self.linking.keys)

    def entries(self) -> dict[str, set[str]]:
        """What the index holds."""
        found = self.database[COLLECTION].find({"_id": {"$ne": MADE}})
        return {bucket["_id"]: {f"{e['r']}/{e['s']}" for e in bucket["of"]} for bucket in found}


@pytest.fixture
def made(database: Database[dict[str, Any]], buckets: MongoBuckets) -> Made:
    return Made(database, buckets)


def test_an_index_that_was_lost_is_made_again_as_it_was(made: Made) -> None:
    before = made.entries()
    made.database[COLLECTION].drop()

    assert made.indexing().make() == 30
    assert made.entries() == before != {}
    assert made.indexing().make() == 0  # it is whole now


def test_another_index_key_makes_another_index(made: Made) -> None:
    made.indexing().make()
    before = made.entries()

    assert made.indexing(b"o" * 32).make() == 30
    assert not set(made.entries()) & set(before)


def test_an_index_that_was_left_half_made_is_made_from_the_beginning(made: Made) -> None:
    before = made.entries()
    made.database[COLLECTION].drop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made.linking.keys, "open", _away)
        with pytest.raises(Away):
            made.indexing().make()

    assert made.indexing().make() == 30
    assert made.entries() == before


def _away(*_: Any) -> Any:
    raise Away("keys", "told to fail")


def test_the_store_alone_shows_no_key_that_intake_made(made: Made) -> None:
    """Nor what anyone is called: whoever has it and no key can try no guess."""
    kept = repr(list(made.database[COLLECTION].find({})))

    for concern in made.concerns:
        for subject in concern.subjects:
            for key in made.linking.linker.of_subject(subject).keys:
                assert key.hash.hex() not in kept
            assert subject.identity.given_names not in kept
