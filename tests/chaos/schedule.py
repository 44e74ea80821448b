"""Which faults strike, and when: from the seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from services.topics import SERVICES

BROKER, STORE = "kafka", "mongo"
LINKS = (
    *("everybody-kafka", "everybody-partners"),
    *(f"{service}-mongo" for service in SERVICES),
    *("triage-intake", "partner-routing-intake", "audit-intake"),
    *(f"clients-{service}" for service in SERVICES),
)
"""Every two that talk to each other, each a link of its own; but all services share the one to the broker, and all
partners theirs, since a broker tells everyone of a listener the same address."""
FROZEN_SECONDS = 12.0
"""Longer than the session timeout of our consumers, 10 s."""
BROKEN_SECONDS = 12.0
"""How long a link is cut, delayed, slow or reset; as long."""
INJECTED_SECONDS = 8.0
FULL_SECONDS = 10.0
WRONG_CLOCK_SECONDS = 12.0
DISKS = (BROKER, STORE, "audit")
FURTHER_BROKERS = ("kafka-2", "kafka-3")
"""Where there are three. The first is where clients begin: it is killed as any, but its data are not destroyed."""


class Kind(StrEnum):
    """What is done."""

    KILL = "kill"
    FREEZE = "freeze"
    ROLL = "roll"
    """Every service is restarted, one after the other."""
    INJECT = "inject"
    """Each send, store and handler point of a service fails now and then."""
    POISON = "poison"
    """Records of every kind that nobody can handle, and a replay of what is parked."""
    CUT = "cut"
    """Nothing passes a link."""
    RESET = "reset"
    """Every connection of a link is reset, again and again."""
    DELAY = "delay"
    """Everything passes a link late."""
    DESTROY = "destroy"
    """A broker of three is killed and loses all of its data."""
    FULL = "full"
    """The disk of the broker, of the store or of the log."""
    SLOW = "slow"
    """Little passes a link at a time."""
    AHEAD = "ahead"
    """The clock of a service is a day ahead."""
    BEHIND = "behind"
    """It is a day behind."""


class Struck(StrEnum):
    """What has to recover: each has a limit of its own, and is judged apart."""

    SERVICE = "service"
    STORE = "store"
    BROKER = "broker"
    DISK = "full disk"
    CLOCK = "wrong clock"

    @property
    def limit(self) -> float:
        """Seconds within which a concern must reach its partners again, unattended, at the 99th percentile. The store
        is a service as any other."""
        return 30.0 if self in (Struck.SERVICE, Struck.STORE) else 60.0


BROKEN = (Kind.CUT, Kind.RESET, Kind.DELAY, Kind.SLOW)
CLOCKS = (Kind.AHEAD, Kind.BEHIND)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it strikes as soon as `after` referrals are acknowledged."""

    after: int
    kind: Kind
    target: str
    """A process of the stack; `services` for a rolling restart."""

    @property
    def struck(self) -> Struck:
        """What has to recover. Of a link it is what is called by it."""
        if self.kind is Kind.FULL:
            return Struck.DISK
        if self.kind in CLOCKS:
            return Struck.CLOCK
        if self.target in FURTHER_BROKERS or self.target.endswith((BROKER, "partners")):
            return Struck.BROKER
        return Struck.STORE if self.target.endswith(STORE) else Struck.SERVICE

    def __str__(self) -> str:
        return f"{self.kind} {self.target} after {self.after}"


def planned(
    seed: int,
    referrals: int,
    count: int,
    *,
    wired: bool = False,
    brokers: int = 1,
    clocks: bool = False,
    disks: bool = True,
) -> list[Fault]:
    """`count` faults spread over `referrals`, each at a random moment of its share of them.

    One in ten freezes a process and one in fifteen is a rolling restart; all others kill. Where the stack is wired for
    it, one in ten is poison, one in six injected failures, one in eight a full disk (unless there are no `disks`)
    and one in four a broken link; of three brokers one is destroyed in one fault of four, and one in four breaks a
    link. Where clocks can be set, all do that, in turn ahead and behind. Every target is struck once before any is
    struck twice.
    """
    dice = random.Random(f"faults {seed}")
    share = referrals / count if count else 0.0
    freezes, rolls = -(-count // 10) if count > 6 else 0, -(-count // 15) if count > 8 else 0
    kinds = [Kind.FREEZE] * freezes + [Kind.ROLL] * rolls
    if clocks:
        kinds = [CLOCKS[number % len(CLOCKS)] for number in range(count)]
    elif brokers > 1:
        kinds += [Kind.DESTROY] * max(1, count // 4) + [BROKEN[number % len(BROKEN)] for number in range(count // 4)]
    elif wired and count > 3:
        kinds += [Kind.FULL] * (count // 8 if disks else 0) + [Kind.POISON] * max(1, count // 10)
        kinds += [Kind.INJECT] * (count // 6)
        kinds += [BROKEN[number % len(BROKEN)] for number in range(count // 4)]
    kinds += [Kind.KILL] * (count - len(kinds))
    dice.shuffle(kinds)
    rounds: dict[str, list[str]] = {}
    faults = []
    for number, kind in enumerate(kinds):
        after = int((number + 0.2 + 0.6 * dice.random()) * share)
        faults.append(Fault(after, kind, _target(kind, rounds, dice, brokers)))
    return faults


def _target(kind: Kind, rounds: dict[str, list[str]], dice: random.Random, brokers: int) -> str:
    if kind is Kind.ROLL:
        return "services"
    if kind is Kind.POISON:
        return "topics"
    further = FURTHER_BROKERS if brokers > 1 else ()
    others = {
        Kind.INJECT: SERVICES,
        Kind.FULL: DISKS,
        Kind.DESTROY: further,
        **dict.fromkeys(BROKEN, LINKS),
        **dict.fromkeys(CLOCKS, SERVICES),
    }
    everyone = others.get(kind, (*SERVICES, BROKER, *further, STORE))
    left = rounds.setdefault("link" if kind in BROKEN else kind, [])
    if not left:
        left += everyone
        dice.shuffle(left)
    return left.pop()
