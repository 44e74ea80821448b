"""The records that arms work on: facts as intake publishes them, the same for every arm of a contest."""

from __future__ import annotations

import hmac
import random
import secrets
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.common_pb2 import Actor, FactHeader, FieldGroup, MatchKeys, Sealed
from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import IntakeFact, Raised
from services.chassis.engine.document import event_id
from services.chassis.sealing import KeyWrapper
from services.cli.local.home import CHECKOUT
from services.cli.scenario import load_scenario
from services.intake.identifiers import Identifier
from services.intake.linking import Linker
from services.intake.sealed import RAISER_KEY, Sealer, subject_key
from services.known import NARRATIVE_KEY
from tests.performance.choosing import SINKS
from tests.performance.ground import Loaded

SEED = 4471
BEGAN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOP_CIPHERTEXT = 146
"""Bytes of the one sealed part, so that a record of the hop has some 330."""
OFFICER = Actor(role=ROLE_OFFICER, id="officer-4471", kind="response_officer")


def hop_facts(count: int) -> Iterator[Loaded]:
    """Small facts: one referral each, and one of eight kinds, by which a topic is chosen."""
    dice = random.Random(SEED)
    for number in range(count):
        sealed = Sealed(
            key_id="narrative",
            nonce=dice.randbytes(12),
            ciphertext=dice.randbytes(HOP_CIPHERTEXT),
            group=FieldGroup.FIELD_GROUP_NARRATIVE,
            version=1,
        )
        kind: Any = 1 + number % SINKS
        yield _fact(_uuid(dice), number, OFFICER, Raised(kinds=[kind], area="bristol", parts=[sealed]))


def raised_facts(count: int, seed: int = SEED) -> Iterator[Loaded]:
    """The concerns of the scenario, over and over, each as a new referral with its personal parts sealed."""
    dice = random.Random(seed)
    templates = _templates()
    for number in range(count):
        actor, raised = templates[number % len(templates)]
        yield _fact(_uuid(dice), number, actor, raised)


def openable_facts(count: int, secret: bytes, seed: int = SEED) -> Iterator[Loaded]:
    """As `raised_facts`, but each sealed for itself, so that whoever knows the secret can open what is in it."""
    dice = random.Random(seed)
    concerns, wrapper, links = _concerns(), KeyWrapper(secret), NoLinks()
    for number in range(count):
        actor, concern = concerns[number % len(concerns)]
        referral_id = _uuid(dice)
        known = {key_id: key_of(secret, referral_id, key_id) for key_id in key_ids()}
        yield _fact(referral_id, number, actor, Sealer(wrapper, links, referral_id, known).raised(concern))


def key_of(secret: bytes, referral_id: str, key_id: str) -> bytes:
    """The key under which `openable_facts` seals."""
    return hmac.digest(secret, f"{referral_id}|{key_id}".encode(), "sha256")


@cache
def key_ids() -> Sequence[str]:
    """Every key that a referral of the scenario can have."""
    most = max(len(concern.subjects) for _, concern in _concerns())
    return [NARRATIVE_KEY, RAISER_KEY, *(subject_key(number) for number in range(1, most + 1))]


def different() -> int:
    """After so many the concerns come again, each as a new referral."""
    return len(_concerns())


class NoLinks(Linker):
    """Makes no match keys: none of the arms looks for links, whose cost `make match-report` measures."""

    def __init__(self) -> None:
        super().__init__(b"")

    def _keyed(self, identifiers: Iterable[Identifier]) -> MatchKeys:
        return MatchKeys()


@cache
def _templates() -> Sequence[tuple[Actor, Raised]]:
    wrapper = KeyWrapper(secrets.token_bytes(32))
    return [
        (actor, Sealer(wrapper, NoLinks(), str(uuid.uuid4()), {}).raised(concern)) for actor, concern in _concerns()
    ]


@cache
def _concerns() -> Sequence[tuple[Actor, Concern]]:
    """The scenario's, each with who raises it."""
    return [
        (Actor(role=stated.raiser.role, id=stated.raiser.id, kind=stated.raiser.kind), stated.concern)
        for stated in load_scenario(CHECKOUT / "deploy" / "local" / "scenario")
    ]


def _fact(referral_id: str, number: int, actor: Actor, raised: Raised) -> Loaded:
    cause = f"bench-{number}"
    header = FactHeader(
        event_id=event_id(referral_id, cause, "raised//1"),
        referral_id=referral_id,
        sequence=1,
        actor=actor,
        cause_id=cause,
    )
    header.occurred_at.FromDatetime(BEGAN + timedelta(milliseconds=number))
    fact = IntakeFact(header=header, raised=raised)
    return Loaded(referral_id.encode(), fact.SerializeToString(deterministic=True))


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(bytes=dice.randbytes(16), version=4))
