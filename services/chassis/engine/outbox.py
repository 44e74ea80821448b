"""What is on its way to Kafka: from facts past `published` to records, and from acknowledgements to `published`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.chassis.engine.document import Document
from services.chassis.records import OutRecord, ce_headers

RAISE_EVERY = 1.0
RAISE_AT = 400
COPY_SCHEMA = "safeguarding.v1.PartnerRecord"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A document's own facts that Kafka has acknowledged, as of a revision."""

    id: str
    revision: str
    count: int


class Outbox:
    """Remembers, for this process, what Kafka has acknowledged and the store does not know yet.

    Used by the engine's thread alone. `topic` carries the service's facts; `parse` reads one of them.
    """

    def __init__(self, writer: str, topic: str, carries: str, parse: Callable[[bytes], Message]) -> None:
        self._writer = writer
        self._topic = topic
        self._schema = f"safeguarding.v1.{carries}"
        self._parse = parse
        self._source = f"/referrals/{writer}"
        self._kinds: dict[str, str] = {}
        """The full name of each kind of fact, by its field."""
        self._acknowledged: dict[str, Acknowledged] = {}
        self._raised_at = 0.0

    def recall(self, document: Document[Any]) -> None:
        """Tell a loaded document what this process has had acknowledged."""
        known = self._acknowledged.get(document.id)
        if known is not None and known.revision == document.revision:
            document.published = known.count
            document.copies = []

    def is_known(self, referral_id: str) -> bool:
        """True where this process has had all of it acknowledged and only the store lags."""
        return referral_id in self._acknowledged

    def unsent(self, document: Document[Any]) -> list[OutRecord]:
        """The records for everything past `published`, in order; the same facts always give the same bytes."""
        facts = document.facts.get(self._writer, ())
        if len(facts) == document.published:
            return []
        copies: dict[str, list[Any]] = {}
        for copy in document.copies:
            copies.setdefault(copy.event_id, []).append(copy)
        records: list[OutRecord] = []
        key, trace = document.id.encode(), _hex(document.id)
        unsent = facts[document.published :]
        earlier: list[Any] = [self._parse(raw) for raw in unsent[: len(unsent) - len(document.fresh)]]
        for raw, fact in zip(unsent, [*earlier, *document.fresh], strict=True):
            header, name = fact.header, fact.WhichOneof("fact")
            kind = self._kinds.get(name)
            if kind is None:
                kind = self._kinds[name] = getattr(fact, name).DESCRIPTOR.full_name
            records.append(OutRecord(self._topic, key, raw, self._headers(header, trace, kind, self._schema)))
            for copy in copies.get(header.event_id, ()) if copies else ():
                headers = self._headers(header, trace, copy.type, COPY_SCHEMA)
                records.append(OutRecord(copy.topic, key, copy.value, headers))
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
        return len(self._acknowledged) >= RAISE_AT or now - self._raised_at >= RAISE_EVERY

    def _headers(self, header: Any, trace: str, kind: str, schema: str) -> list[tuple[str, bytes]]:
        event_id = header.event_id
        return ce_headers(
            event_id=event_id,
            type=kind,
            source=self._source,
            subject=header.referral_id,
            time=header.occurred_at,
            dataschema=schema,
            # The referral is the trace and the fact the span, so that a repeat is identical.
            traceparent=f"00-{trace}-{_hex(event_id)[:16]}-01",
        )


def _hex(uuid: str) -> str:
    return uuid.replace("-", "").lower()
