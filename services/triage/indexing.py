"""Makes the index of match keys again from triage's own documents: after a rebuild, or under a new index key."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pymongo.database import Database

from services.chassis import logs
from services.chassis.engine.away import Away
from services.chassis.engine.store import answering
from services.triage.gather import OpensKeys, entries_of, match_keys, match_parts
from services.triage.index import COLLECTION, Index, MongoBuckets
from services.triage.views import known_of

BATCH = 500
RETRY_SECONDS = 0.5
FORM = b"made/2"
"""What an entry holds: an index of another form is made again."""
MADE = "made"
"""The id of the document that says under which key the index is whole; no bucket has such an id."""
log = logs.get(__name__)


class Indexing:
    """Looks whether the index is whole, and makes it where it is not; before triage decides anything."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        buckets: MongoBuckets,
        index: Index,
        index_key: bytes,
        keys: OpensKeys,
    ) -> None:
        self._referrals = database["referrals"]
        self._collection = database[COLLECTION]
        self._buckets = buckets
        self._index = index
        self._keys = keys
        self._under = hmac.digest(index_key, FORM, "sha256")[:16].hex()

    def wait_until_made(self) -> None:
        """As `make`; waits for what does not answer: our supervisor, not we, gives up on a machine."""
        told: str | None = None
        while True:
            try:
                self.make()
            except Away as away:
                if told != away.what:
                    log.warning("index_waits", away=away.what)
                    told = away.what
                time.sleep(RETRY_SECONDS)
            else:
                return

    def make(self) -> int:
        """Make the index where it is not whole; returns how many referrals that took. Raises Away."""
        with answering():
            if self._collection.find_one({"_id": MADE, "under": self._under}) is not None:
                return 0
            self._collection.drop()
        self._buckets.prepare()
        done = 0
        for batch in self._stored():
            self._add(batch)
            done += len(batch)
            log.info("index_making", referrals=done)
        with answering():
            self._collection.insert_one({"_id": MADE, "under": self._under})
        return done

    def _stored(self) -> Iterator[Sequence[Mapping[str, Any]]]:
        with answering():
            documents = iter(self._referrals.find({}, {"facts.intake": 1}))
            while batch := list(islice(documents, BATCH)):
                yield batch

    def _add(self, batch: Sequence[Mapping[str, Any]]) -> None:
        known = {stored["_id"]: known_of(stored) for stored in batch}
        parts = {referral_id: match_parts(each) for referral_id, each in known.items()}
        wanted = [referral_id for referral_id, found in parts.items() if found]
        if wanted:
            opened = self._keys.open(wanted)
            self._index.add(
                entries_of((each, known[each], match_keys(each, parts[each], opened.get(each, {}))) for each in wanted)
            )
