"""From raised concerns to links by the services' own code, on fakes of the store and of intake's keys."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import Linked
from services.chassis.deciding import Upstream
from services.chassis.engine.document import stamp
from services.chassis.keys import ReferralKeys
from services.chassis.sealing import KeyWrapper
from services.intake.linking import Linker
from services.intake.sealed import Sealer
from services.known import NOTHING, Known, learned
from services.triage.domain import INTAKE, State
from services.triage.gather import Gatherer
from services.triage.index import MOST_KEPT, Entry, Index

KEY_ENCRYPTION_KEY = b"e" * 32
LINKING_KEY = b"l" * 32
INDEX_KEY = b"i" * 32
OFFICER = Actor(role=ROLE_OFFICER, id="pc-1")
REFERRALS = uuid.UUID("3ed5b2b2-5ab3-5f0e-9c3f-6c1d5d4b0a01")


class FakeBuckets:
    """Buckets in memory; tests/integration/linking holds the real ones to the same."""

    def __init__(self) -> None:
        self.buckets: dict[str, list[Entry]] = {}
        self.calls = 0

    def add(self, entries: Mapping[str, Sequence[Entry]]) -> Mapping[str, Sequence[Entry]]:
        """See Buckets."""
        self.calls += 1
        present = [each for each in entries if each in self.buckets]
        for each, added in entries.items():
            self.buckets[each] = [*self.buckets.get(each, ()), *added][-MOST_KEPT:]
        return {each: list(self.buckets[each]) for each in present}

    def forget(self, referral_id: str, subjects: Collection[int]) -> None:
        """See Buckets."""
        for each, entries in self.buckets.items():
            self.buckets[each] = [e for e in entries if e.referral_id != referral_id or e.subject not in subjects]


class FakeKeys:
    """Data keys as intake would open them."""

    def __init__(self) -> None:
        self.wrapper = KeyWrapper(KEY_ENCRYPTION_KEY)
        self.keys: dict[str, dict[str, bytes]] = {}
        self.calls = 0
        self.opened: list[list[str]] = []
        """The referrals of each call."""
        self.forgotten: list[str] = []

    def keep(self, referral_id: str, sealer: Sealer) -> None:
        """Keep what a sealer made, as intake's document does."""
        kept = self.keys.setdefault(referral_id, {})
        for path, wrapped in sealer.wrapped.items():
            key_id = path.removeprefix("keys.")
            kept[key_id] = self.wrapper.unwrap(referral_id, key_id, wrapped)

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, ReferralKeys]:
        """See Keys."""
        self.calls += 1
        self.opened.append(list(referral_ids))
        return {each: self.keys.get(each, {}) for each in referral_ids}

    def forget(self, referral_id: str) -> None:
        """See Keys; nothing is remembered."""
        self.forgotten.append(referral_id)


class FakeEarlier:
    """What triage's store has of earlier referrals."""

    def __init__(self) -> None:
        self.stored: dict[str, Known] = {}
        self.read: list[list[str]] = []
        """The referrals of each read."""

    def known(self, referral_ids: Sequence[str]) -> Mapping[str, Known]:
        """See Earlier."""
        self.read.append(list(referral_ids))
        return {each: self.stored[each] for each in referral_ids if each in self.stored}


class Linking:
    """Intake's sealing and triage's gathering, one after the other."""

    def __init__(self) -> None:
        self.keys = FakeKeys()
        self.buckets = FakeBuckets()
        self.earlier = FakeEarlier()
        self.linker = Linker(LINKING_KEY)
        self.index = Index(self.buckets, INDEX_KEY)
        self.gatherer = Gatherer(self.keys, self.index, self.earlier)

    def raised(
        self,
        concern: Concern,
        name: str,
        at: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC),
        by: Actor = OFFICER,
    ) -> IntakeFact:
        """The fact that intake publishes of a concern; `name` gives the referral's id."""
        referral_id = str(uuid.uuid5(REFERRALS, name))
        sealer = Sealer(self.keys.wrapper, self.linker, referral_id, {})
        fact = IntakeFact(raised=sealer.raised(concern))
        self.keys.keep(referral_id, sealer)
        stamp([fact], referral_id, 0, at, by, f"raise-{name}")
        return fact

    def hear(self, *facts: IntakeFact) -> Mapping[str, Sequence[Linked]]:
        """What triage gathers for a batch of facts, by referral; they are stored afterwards."""
        states = {fact.header.referral_id: State(known=self.known(fact.header.referral_id)) for fact in facts}
        work = [
            (
                states[fact.header.referral_id],
                Upstream(fact.header.referral_id, fact.header.event_id, fact.header.actor, INTAKE, fact),
            )
            for fact in facts
        ]
        gathered = self.gatherer.gather(work)["links"]
        for fact in facts:
            referral_id = fact.header.referral_id
            self.earlier.stored[referral_id] = learned(self.known(referral_id), fact)
        return dict(gathered)

    def known(self, referral_id: str) -> Known:
        """What triage's store has of a referral."""
        return self.earlier.stored.get(referral_id, NOTHING)
