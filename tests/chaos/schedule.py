"""Which faults strike, and when: from the seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from services.topics import SERVICES

BROKER, STORE = "kafka", "mongo"
FROZEN_SECONDS = 12.0
"""Longer than the session timeout of our consumers, 10 s."""


class Kind(StrEnum):
    """What is done."""

    KILL = "kill"
    FREEZE = "freeze"
    ROLL = "roll"
    """Every service is restarted, one after the other."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it strikes as soon as `after` referrals are acknowledged."""

    after: int
    kind: Kind
    target: str
    """A process of the stack; `services` for a rolling restart."""

    @property
    def recovery(self) -> float:
        """Seconds within which a concern must reach its partners again, unattended."""
        return 60.0 if self.target in (BROKER, STORE) else 30.0

    def __str__(self) -> str:
        return f"{self.kind} {self.target} after {self.after}"


def planned(seed: int, referrals: int, count: int) -> list[Fault]:
    """`count` faults spread over `referrals`, each at a random moment of its share of them.

    One in ten freezes a process and one in fifteen is a rolling restart; all others kill. Every process is killed
    once before any is killed twice.
    """
    dice = random.Random(f"faults {seed}")
    share = referrals / count if count else 0.0
    freezes, rolls = -(-count // 10) if count > 6 else 0, -(-count // 15) if count > 8 else 0
    kinds = [Kind.FREEZE] * freezes + [Kind.ROLL] * rolls
    kinds += [Kind.KILL] * (count - len(kinds))
    dice.shuffle(kinds)
    rounds: dict[Kind, list[str]] = {Kind.KILL: [], Kind.FREEZE: []}
    faults = []
    for number, kind in enumerate(kinds):
        after = int((number + 0.2 + 0.6 * dice.random()) * share)
        faults.append(Fault(after, kind, "services" if kind is Kind.ROLL else _next(rounds[kind], dice)))
    return faults


def _next(left: list[str], dice: random.Random) -> str:
    if not left:
        left += [*SERVICES, BROKER, STORE]
        dice.shuffle(left)
    return left.pop()
