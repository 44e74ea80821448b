"""What tests of deciders share: facts as their writers would publish them, and a run of inputs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_SERVICE, ROLE_SUPERVISOR, ROLE_TRIAGE, ROLE_VOLUNTEER
from safeguarding.v1.common_pb2 import Actor, Sealed
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import IntakeFact, Raised, SealedSubject
from services.chassis.deciding import ClockRanOut, Command, Context, Decider, Input, Upstream
from services.chassis.engine.document import Document, new, serialized, stamp

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
REFERRAL = "5f3a7b52-0b1e-5c53-9f5f-3a0f6f0d9a01"
OFFICER = Actor(role=ROLE_OFFICER, id="pc-1")
VOLUNTEER = Actor(role=ROLE_VOLUNTEER, id="watch-1", kind="farm_watch")
DESK = Actor(role=ROLE_TRIAGE, id="desk-1")
SUPERVISOR = Actor(role=ROLE_SUPERVISOR, id="sup-1")
SYSTEM = Actor(role=ROLE_SERVICE, id="partner-routing")


def sealed(group: Any, key_id: str = "narrative", version: int = 1) -> Sealed:
    """A sealed part; what is in it does not matter to a decider."""
    return Sealed(key_id=key_id, nonce=b"n" * 12, ciphertext=b"c" * 32, group=group, version=version)


def raised(
    kinds: Sequence[Any],
    signs: Signs | None = None,
    roles: Sequence[Any] = (),
    area: str = "bristol",
    *,
    anonymous: bool = False,
) -> IntakeFact:
    """A raised concern with a narrative, and with each subject's identity and contact."""
    subjects = [
        SealedSubject(
            number=n,
            role=role,
            parts=[sealed(group, f"subject-{n}") for group in (1, 3)],
        )
        for n, role in enumerate(roles, start=1)
    ]
    body = Raised(kinds=kinds, signs=signs, area=area, subjects=subjects, parts=[sealed(5)], anonymous=anonymous)
    return IntakeFact(raised=body)


class Life:
    """One referral's life in one decider: each input is decided, stamped and evolved, as the engine does."""

    def __init__(self, decider: Decider[Any], rules: Any = None, gathered: Any = None) -> None:
        self.decider = decider
        self.rules = rules
        self.gathered = gathered if gathered is not None else {"keys": {}, "notes": {}}
        self.now = NOON
        self.document: Document[Any] = new(decider, REFERRAL)

    @property
    def state(self) -> Any:
        """The state now."""
        return self.document.state

    def hear(self, writer: str, fact: Any, actor: Actor = OFFICER) -> list[Any]:
        """An upstream fact."""
        cause = f"{writer}-{self.document.length(writer) + 1}"
        stamp([fact], REFERRAL, self.document.length(writer), self.now, actor, cause)
        state = self.decider.evolve(self.state, writer, fact)
        self.document.append(writer, fact.header.event_id, serialized(fact), state)
        return self._decide(Upstream(REFERRAL, fact.header.event_id, fact.header.actor, writer, fact))

    def say(self, body: Any, actor: Actor, sealed_: Any = None) -> list[Any]:
        """A command."""
        return self._decide(Command(REFERRAL, str(uuid.uuid4()), actor, body, b"", sealed=sealed_))

    def run_out(self, clock: str, at: datetime) -> list[Any]:
        """A clock that ran out."""
        self.now = at
        return self._decide(ClockRanOut(REFERRAL, f"{clock}@{at.isoformat()}", SYSTEM, clock, at))

    def give(self, given: Input) -> list[Any]:
        """Any other input."""
        return self._decide(given)

    def _decide(self, given: Input) -> list[Any]:
        context = Context(self.now, self.rules, self.gathered, SYSTEM)
        decided = self.decider.decide(self.state, given, context)
        after = self.document.length(self.decider.writer)
        actor = SYSTEM if isinstance(given, Upstream) else given.actor
        facts = stamp(decided, REFERRAL, after, self.now, actor, given.cause_id)
        for fact in facts:
            state = self.decider.evolve(self.state, self.decider.writer, fact)
            self.document.append_own(self.decider.writer, fact, serialized(fact), state)
        return facts


def kinds_of(facts: Sequence[Any]) -> list[str]:
    """What happened, by name."""
    return [fact.WhichOneof("fact") for fact in facts]
