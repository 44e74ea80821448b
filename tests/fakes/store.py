"""A store in memory that keeps the engine's promises, and can be told to fail at any point."""

from __future__ import annotations

import copy
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import bson

from services.chassis.engine.away import Away
from services.chassis.engine.document import Document
from services.chassis.engine.store import Published


class MemoryStore:
    """The Store protocol. `failing` names points (load, save, lost_answer, waiting) and how often each fails."""

    def __init__(self, writer: str) -> None:
        self.writer = writer
        self.documents: dict[str, dict[str, Any]] = {}
        self.failing: dict[str, int] = {}
        self.calls: list[str] = []
        self._lock = threading.Lock()

    def load(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """See Store."""
        self.calls.append("load")
        self._may_fail("load")
        with self._lock:
            return [copy.deepcopy(self.documents[id_]) for id_ in ids if id_ in self.documents]

    def save(
        self, changed: Sequence[Document[Any]], views: Mapping[str, Mapping[str, Any]], published: Iterable[Published]
    ) -> set[str]:
        """See Store. A `lost_answer` saves, and then says that the store is away."""
        self.calls.append("save")
        self._may_fail("save")
        token = secrets.token_hex(4)
        with self._lock:
            lost = self._saved(changed, views, published, token)
        self._may_fail("lost_answer")
        for document in changed:
            if document.id not in lost:
                document.revision = token
        return lost

    def _saved(
        self,
        changed: Sequence[Document[Any]],
        views: Mapping[str, Mapping[str, Any]],
        published: Iterable[Published],
        token: str,
    ) -> set[str]:
        lost = set()
        for document in changed:
            stored = self.documents.get(document.id)
            if (stored["revision"] if stored else None) != document.revision:
                lost.add(document.id)
                continue
            facts = {writer: list(raws) for writer, raws in (stored["facts"] if stored else {}).items()}
            for writer, raws in document.added.items():
                facts.setdefault(writer, []).extend(raws)
            self.documents[document.id] = {
                "_id": document.id,
                "revision": token,
                "facts": facts,
                "published": document.published,
                "copies": [asdict(c) for c in document.copies],
                "view": _as_stored(views[document.id]),
            }
            if len(facts.get(self.writer, ())) > document.published:
                self.documents[document.id]["pending"] = True
        for known in published:
            stored = self.documents.get(known.id)
            if stored and stored["revision"] == known.revision:
                stored.update(published=max(stored["published"], known.published), copies=[])
                stored.pop("pending", None)
        return lost

    def waiting(self, until: datetime) -> list[Mapping[str, Any]]:
        """See Store."""
        self.calls.append("waiting")
        self._may_fail("waiting")
        with self._lock:
            return [
                copy.deepcopy(document)
                for document in self.documents.values()
                if document.get("pending") or (document["view"].get("next_clock") or until) < until
            ]

    def _may_fail(self, point: str) -> None:
        if self.failing.get(point, 0):
            self.failing[point] -= 1
            raise Away("store", "told to fail")


def _as_stored(view: Mapping[str, Any]) -> dict[str, Any]:
    """What a store gives back of it: times to the millisecond, the rest of each cut off."""
    return bson.decode(bson.encode(view), bson.CodecOptions(tz_aware=True))
