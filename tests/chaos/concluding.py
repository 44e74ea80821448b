"""The end of a run: all is looked at, what cannot be looked at is wrong too, and the last line is always said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.chassis.kafka_in.chunk import Position
from tests.chaos import points, rebuilding, recovering, topics
from tests.chaos.judging import Verdict
from tests.chaos.ledger import Ledger
from tests.chaos.poison import Poison
from tests.chaos.recovering import Recovery
from tests.chaos.schedule import Kind
from tests.chaos.topics import Facts
from tests.chaos.world import World

TIMELINE_SECONDS = 90.0

T = TypeVar("T")


@dataclass(frozen=True)
class Done:
    """What a run did."""

    seed: int
    planned: int
    """Faults."""
    recoveries: Sequence[Recovery]
    wired: bool
    least_injected: int = 0
    """Failures that must have been injected in all."""


class Looks:
    """Looks at one thing after the other, and keeps what is wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def at(self, what: str, look: Callable[[], T], otherwise: T) -> T:
        """What the look gives; where it fails, that is wrong, and `otherwise` stands for it."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001 - a stack that is gone must not keep the run from its last line
            self.wrong.append(f"{what} could not be looked at: {type(error).__name__}: {error}")
            return otherwise


def conclude(world: World, done: Done, say: Callable[[str], None]) -> int:
    """Say what is wrong, how the stack recovered and the last line; 1 where anything is wrong."""
    looks, ledger = Looks(), world.ledger
    nothing: list[str] = []
    with_desk = looks.at("the desk", lambda: world.clients.came_back(ledger.ran_out), frozenset[str]())
    verdict = ledger.verdict(with_desk)
    looks.wrong += verdict.said
    facts = looks.at("the topics", lambda: topics.facts(world.stack, world.poison.places), Facts())
    looks.wrong += [*facts.duplicated[:20], *facts.out_of_order[:20]]
    looks.wrong += recovering.wrong(done.recoveries)
    struck = len(done.recoveries)
    if struck < done.planned:
        looks.wrong.append(f"{done.planned - struck} of {done.planned} faults were not done")
    looks.wrong += looks.at(
        "what is parked", lambda: poison_trouble(topics.parked(world.stack), world.poison, ledger), []
    )
    holes = looks.at("audit's index", lambda: topics.timeline_holes(world.stack, TIMELINE_SECONDS), nothing)
    looks.wrong += [f"audit lacks {hole}" for hole in holes[:5]]
    unclaimed = facts.referrals - ledger.ids
    looks.wrong += [f"intake raised {len(unclaimed)} referrals of which no client was told"] if unclaimed else []
    looks.at("the end of all players", world.end, None)
    say("  verifying the log")
    complete = _verified(looks, "the log", world)
    if done.wired:
        looks.wrong += looks.at("the rebuilds", lambda: rebuilding.differences(world.stack), nothing)
        complete &= _verified(looks, "the log after the rebuilds", world)
    injected: Counter[str] = world.wiring.injected if done.wired else Counter()
    injections = sum(recovery.fault.kind is Kind.INJECT for recovery in done.recoveries)
    looks.wrong += points.wrong(injected, injections, done.least_injected)
    for line in looks.wrong:
        say(f"  WRONG: {line}")
    for line in recovering.said(done.recoveries):
        say(f"  {line}")
    if done.wired:
        poison = world.poison.kinds.total()
        say(f"  {injected.total()} failures injected, {poison} poison records of {len(world.poison.kinds)} kinds")
        say(f"  {world.poison.replayed} parked records took effect when they were replayed")
        say(f"  points that never failed: {', '.join(points.never_failed(injected)) or 'none'}")
    met = dict(sorted(world.clients.codes.items()))
    say(f"  {ledger.answers} questions of partners were asked and answered: so many had two copies on one referral")
    if not ledger.clocks_are_right:
        say(
            f"  ran out early: {verdict.in_place} partners were never asked, but another in their place;"
            f" {len(with_desk)} referrals lie with the desk again"
        )
    say(f"  clients met {met}; {facts.count} facts; {len(looks.wrong)} things are wrong")
    say(last_line(done, verdict, facts, len(unclaimed), complete=complete))
    return 1 if looks.wrong else 0


def last_line(done: Done, verdict: Verdict, facts: Facts, unclaimed: int, *, complete: bool) -> str:
    """The verdict in one line."""
    struck = len(done.recoveries)
    faults = f"{struck} faults" if struck == done.planned else f"{struck} of {done.planned} faults"
    return (
        f"chaos: seed {done.seed}, {faults}, {verdict.acknowledged} acknowledged, "
        f"{verdict.lost} lost, {verdict.duplicated + len(facts.duplicated) + unclaimed} duplicated, "
        f"{verdict.repeated + facts.repeated} repeated, {verdict.out_of_order + len(facts.out_of_order)} out of order, "
        f"log {'complete' if complete else 'incomplete'}"
    )


def _verified(looks: Looks, what: str, world: World) -> bool:
    trouble = looks.at(what, lambda: rebuilding.log_trouble(world.stack), "it could not be looked at")
    if trouble:
        looks.wrong.append(f"{what}: {trouble}")
    return not trouble


def poison_trouble(parked: dict[str, set[Position]], poison: Poison, ledger: Ledger) -> list[str]:
    """Where not exactly the poison is parked, or not exactly its replies were refused, each once."""
    wrong = []
    for service, expected in poison.parked.items():
        missing, more = expected - parked[service], parked[service] - expected
        wrong += [f"{service} has not parked {place}" for place in sorted(missing)[:5]]
        wrong += [f"{service} parked {place}, which is no poison" for place in sorted(more)[:5]]
    refused: Counter[str] = ledger.refused
    if poison.refusals != refused:
        wrong.append(f"refused replies: {dict(refused)}, not {dict(poison.refusals)}")
    return wrong
