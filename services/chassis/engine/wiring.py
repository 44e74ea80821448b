"""What an engine stands on, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from safeguarding.v1.common_pb2 import Actor
from services.chassis.deciding import Decider
from services.chassis.engine.forerunners import Early
from services.chassis.engine.gathering import Gather
from services.chassis.engine.judge import Copier
from services.chassis.engine.observing import UNOBSERVED, Observer
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.publisher import Publisher
from services.chassis.engine.reading import Reader
from services.chassis.engine.store import Store
from services.chassis.kafka_in.chunk import Position
from services.chassis.parked import ParkedRecords

S = TypeVar("S")

UNMENDABLE = 70
"""Exit status of a process that its supervisor must start anew."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[S]):
    """What a command led to: its facts, and the state and sequence after the turn that it was part of."""

    facts: tuple[Any, ...]
    state: S
    sequence: int


@dataclass(slots=True)
class Wiring(Generic[S]):
    """What an engine stands on.

    `gather` reads, for a whole batch, what decisions need beyond the referral itself; it gets (state, input) pairs
    and may raise Away. Another error fails the inputs of those referrals that meet it alone too. `rules` gives the
    area's rules as they are now.
    """

    decider: Decider[S]
    store: Store
    publisher: Publisher
    outbox: Outbox
    parked: ParkedRecords
    actor: Actor
    readers: Mapping[str, Reader] = field(default_factory=dict)
    copier: Copier[S] | None = None
    gather: Gather[S] | None = None
    early: Early | None = None
    """Which inputs may wait a moment for another writer's fact; None where none may."""
    rules: Callable[[], Any] = lambda: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    release: Callable[[Position], None] = lambda position: None
    """Tells Kafka in that a held record is done."""
    standing: Callable[[str, bool], None] = lambda what, ready: None
    """Tells health whether the store, the broker and the keys answer."""
    observer: Observer = UNOBSERVED
    """Hears how long turns, loads, saves and publications took."""
    fatal: Callable[[], None] = lambda: os._exit(UNMENDABLE)
