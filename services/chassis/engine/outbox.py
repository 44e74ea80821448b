"""What is on its way to Kafka: from facts past `published` to records, and from acknowledgements to `published`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from services.chassis.engine.document import Document
from services.chassis.records import Heading, OutRecord, rfc3339

RAISE_EVERY = 0.2
"""Seconds between two saves that raise it: a fact that comes during one waits for it, so that each is to be short."""
FEW = 10
RAISE_FEW_EVERY = 1.0
"""Seconds: so few are short enough, and a save of its own for each would cost more than it saves."""
RAISE_AT = 400
COPY_SCHEMA = "safeguarding.v1.PartnerRecord"


class Acknowledged(NamedTuple):
    """A document's own facts that Kafka has acknowledged, as of a revision."""

    id: str
    revision: str
    published: int


class Outbox:
    """Remembers, for this process, what Kafka has acknowledged and the store does not know yet.

    Used by the engine's thread alone. `topic` carries the service's facts, each as the message `carries`.
    """

    def __init__(self, writer: str, topic: str, carries: str) -> None:
        self._writer = writer
        self._topic = topic
        self._schema = f"safeguarding.v1.{carries}"
        self._source = f"/referrals/{writer}"
        self._headings: dict[str, Heading] = {}
        """Of the service's own facts by the name of their field; of copies by their type."""
        self._acknowledged: dict[str, Acknowledged] = {}
        self._raised_at = 0.0

    def recall(self, document: Document[Any]) -> None:
        """Tell a loaded document what this process has had acknowledged."""
        known = self._acknowledged.get(document.id)
        if known is not None and known.revision == document.revision:
            document.published = known.published
            document.copies = ()

    def is_known(self, referral_id: str) -> bool:
        """True where this process has had all of it acknowledged and only the store lags."""
        return referral_id in self._acknowledged

    def unsent(self, document: Document[Any]) -> list[OutRecord]:
        """The records for everything past `published`, in order; the same facts always give the same bytes."""
        own, published = document.own, document.published
        if len(own) == published:
            return []
        raws = document.facts[self._writer]
        key, trace = document.id.encode(), _hex(document.id)
        records: list[OutRecord] = []
        for raw, fact in zip(raws[published:], own[published:], strict=True):
            header, name = fact.header, fact.WhichOneof("fact")
            event_id, time = header.event_id, rfc3339(header.occurred_at)
            # The referral is the trace and the fact the span, so that a repeat is identical.
            parent = f"00-{trace}-{_hex(event_id)[:16]}-01"
            heading = self._headings.get(name) or self._heading(name, getattr(fact, name).DESCRIPTOR.full_name)
            records.append(OutRecord(self._topic, key, raw, heading.of(event_id, key, time, parent)))
            for copy in document.copies:
                if copy.event_id == event_id:
                    heading = self._headings.get(copy.type) or self._heading(copy.type, copy.type, COPY_SCHEMA)
                    records.append(OutRecord(copy.topic, key, copy.value, heading.of(event_id, key, time, parent)))
        return records

    def acknowledged(self, document: Document[Any]) -> None:
        """Kafka has acknowledged all of the document's own facts."""
        count = document.length(self._writer)
        if count != document.published and document.revision is not None:
            self._acknowledged[document.id] = Acknowledged(document.id, document.revision, count)

    def raises(self, but: Collection[str]) -> list[Acknowledged]:
        """What the next save can raise in the store, but for documents that it saves anyway."""
        return [known for known in self._acknowledged.values() if known.id not in but]

    def saved(self, ids: Collection[str]) -> None:
        """These were saved, and with them how far they are published."""
        for id in ids:
            self._acknowledged.pop(id, None)

    def raised(self, lost: Collection[str], now: float) -> None:
        """The save did it, but for documents that someone else had saved first. `now` is monotonic seconds."""
        self._acknowledged = {id: known for id, known in self._acknowledged.items() if id in lost}
        self._raised_at = now

    def raise_due(self, now: float) -> bool:
        """True where enough has gathered, or enough time has passed, for a save of its own."""
        if not self._acknowledged:
            self._raised_at = now
            return False
        count, waited = len(self._acknowledged), now - self._raised_at
        return count >= RAISE_AT or waited >= (RAISE_EVERY if count > FEW else RAISE_FEW_EVERY)

    def _heading(self, name: str, type: str, schema: str = "") -> Heading:
        heading = self._headings[name] = Heading(type, self._source, schema or self._schema)
        return heading


def _hex(uuid: str) -> str:
    return uuid.replace("-", "").lower()
