"""Does what the schedule says, and measures with canary concerns how long the stack takes to recover, unattended."""

from __future__ import annotations

import itertools
import random
import time
import zlib
from collections.abc import Sequence
from math import inf

import grpc
from kafka.errors import KafkaError

from services.cli.local.errors import StackError
from services.topics import SERVICES
from tests.chaos.clients import GivenUp
from tests.chaos.clocks import DAY, is_near, wrong_by
from tests.chaos.ledger import Submission
from tests.chaos.load import Work, concerns
from tests.chaos.poison import DECIDING
from tests.chaos.recovering import UNMET, Recovery
from tests.chaos.schedule import (
    BROKEN_SECONDS,
    BROKER,
    FROZEN_SECONDS,
    FULL_SECONDS,
    FURTHER_BROKERS,
    INJECTED_SECONDS,
    STORE,
    WRONG_CLOCK_SECONDS,
    Fault,
    Kind,
)
from tests.chaos.world import World

STRIKE_SECONDS = 240.0
"""How long a fault waits for its moment in the load."""
GIVE_UP_AFTER = 120.0
POISON_AT_ONCE = 200
MEET_PAUSE = 0.1
BUG_SECONDS = 3.0
LOOK_EVERY = 0.5
RIGHT_AGAIN_SECONDS = 10.0
FULL_SAID = (b"No space left", b"cannot commit")
"""One of these is in the log of whoever met a full disk: the store says the second."""


def canary(number: int, run: str, more: int = 0) -> Submission:
    """A concern with several partners, each of whom reads Kafka or an inbox; `more` are raised during one fault."""
    among = [stated for stated in concerns() if len(stated.partners) > 1 and stated.ending.victim is None]
    return Submission(f"canary-{run}-{number:05d}-{more:04d}-of-the-load", among[(number + more) % len(among)])


def strike(world: World, fault: Fault, number: int, run: str) -> Recovery:
    """Wait for the fault's moment, do it, and wait until the stack works again. One that does not is told as that."""
    try:
        return _stricken(world, fault, number, run)
    except (StackError, GivenUp, TimeoutError, KafkaError) as error:
        return Recovery(fault, inf, f"{type(error).__name__}: {error}")
    except grpc.RpcError as error:
        return Recovery(fault, inf, f"a canary was answered {error.code().name}")


def _stricken(world: World, fault: Fault, number: int, run: str) -> Recovery:
    if not world.ledger.wait_for(fault.after, STRIKE_SECONDS):
        raise TimeoutError(f"only {world.ledger.count} were acknowledged in {STRIKE_SECONDS:.0f} s")
    trouble = _do(world, fault, number, run)
    began = time.monotonic()
    submission = canary(number, run)
    world.clients.raise_one(submission)
    reached = world.ledger.wait_reached(submission.key, GIVE_UP_AFTER)
    if reached is None:
        raise TimeoutError(f"a concern raised then had not reached its partners {GIVE_UP_AFTER:.0f} s later")
    world.stack.wait_ready(_struck(fault), GIVE_UP_AFTER)
    healthy = time.monotonic()
    if world.brokers is not None:
        world.brokers.wait_in_sync()  # the next may be another one, and two at once are more than is promised
    return Recovery(fault, max(reached, healthy) - began, trouble)


def _struck(fault: Fault) -> Sequence[str]:
    """What must be healthy again."""
    return [fault.target] if fault.target in (*SERVICES, BROKER, *FURTHER_BROKERS, STORE) else SERVICES


def _do(world: World, fault: Fault, number: int, run: str) -> str:
    """Do it, until it is over. Why it was none, where it can be seen that it was not."""
    match fault.kind:
        case Kind.INJECT:
            world.wiring.inject(fault.target, zlib.crc32(f"{run}/{number}".encode()), INJECTED_SECONDS)
            _meet(world, fault.target, number, run, INJECTED_SECONDS)
        case Kind.POISON:
            world.poison.write(POISON_AT_ONCE, random.Random(f"poison {run} {number}"))
            return _heal_a_bug(world, number, run)
        case Kind.DESTROY:
            if world.brokers is None:
                raise ValueError("there is one broker only, and nothing would be left")
            world.brokers.destroy(fault.target)
        case Kind.FULL:
            return _fill(world, fault, number, run)
        case Kind.AHEAD | Kind.BEHIND:
            return _set_clock(world, fault)
        case Kind.CUT | Kind.RESET | Kind.DELAY | Kind.SLOW:
            _break(world, fault)
        case Kind.KILL:
            world.stack.wait_ready([fault.target])  # an earlier fault may have left it starting
            world.stack.kill(fault.target)
        case Kind.FREEZE:
            world.stack.freeze(fault.target)
            try:
                time.sleep(FROZEN_SECONDS)  # the fault itself is this long
            finally:
                world.stack.thaw(fault.target)
        case Kind.ROLL:
            for service in SERVICES:
                world.stack.restart(service)
    return ""


def _fill(world: World, fault: Fault, number: int, run: str) -> str:
    """Keep a disk full while a concern is raised, which must be acknowledged by no more than memory."""
    disks, log = world.wiring.disks, world.stack.home.log(fault.target)
    said = log.stat().st_size
    disks.fill(fault.target)
    try:
        refused = disks.refuses(fault.target)
        world.raise_all([Work((canary(number, run, 1),))])
        over = time.monotonic() + FULL_SECONDS
        while refused and time.monotonic() < over:
            disks.fill(fault.target)  # its owner may have given some back
            refused = disks.refuses(fault.target)
            time.sleep(LOOK_EVERY)
    finally:
        disks.empty(fault.target)
    if not refused:
        return "its disk took a write although it was full"
    with log.open("rb") as file:
        file.seek(said)
        found = file.read()
    return "" if any(words in found for words in FULL_SAID) else UNMET


def _set_clock(world: World, fault: Fault) -> str:
    clocks, address = world.wiring.clocks, world.stack.address(f"{fault.target}.http")
    wanted = DAY if fault.kind is Kind.AHEAD else -DAY
    clocks.set(fault.target, wanted)
    try:
        over = time.monotonic() + WRONG_CLOCK_SECONDS
        was_wrong = False
        while time.monotonic() < over:
            was_wrong |= is_near(wrong_by(address), wanted)
            time.sleep(LOOK_EVERY)
    finally:
        clocks.set(fault.target, 0)
    over = time.monotonic() + RIGHT_AGAIN_SECONDS  # until it is right the fault is not over
    while not is_near(wrong_by(address), 0):
        if time.monotonic() > over:
            return "its clock stayed wrong"
        time.sleep(LOOK_EVERY / 10)
    return "" if was_wrong else "its clock stayed right"


def _meet(world: World, service: str, number: int, run: str, seconds: float) -> None:
    """Concerns and looks, one after the other, for as long as points fail: so that each of them is met."""
    over = time.monotonic() + seconds
    for more in itertools.count(1):
        if time.monotonic() >= over:
            return
        world.clients.raise_one(canary(number, run, more))
        world.looker.look(service)
        time.sleep(MEET_PAUSE)


def _heal_a_bug(world: World, number: int, run: str) -> str:
    """A bug has facts parked beside the poison; once it is gone an operator replays all, and those take effect."""
    service, before = DECIDING[number % len(DECIDING)], world.poison.replayed
    world.wiring.bug(service, zlib.crc32(f"bug {run}/{number}".encode()), BUG_SECONDS)
    _meet(world, service, number, run, BUG_SECONDS)
    world.poison.replay()
    return "" if world.poison.replayed > before else f"no replay took effect, though decisions of {service} had failed"


def _break(world: World, fault: Fault) -> None:
    proxies = world.wiring.proxies
    over = time.monotonic() + BROKEN_SECONDS
    match fault.kind:
        case Kind.CUT:
            proxies.cut(fault.target)
        case Kind.DELAY:
            proxies.delay(fault.target)
        case Kind.SLOW:
            proxies.slow(fault.target)
    try:
        while time.monotonic() < over:
            if fault.kind is Kind.RESET:
                proxies.reset(fault.target)
            time.sleep(1)  # the fault itself is this long
    finally:
        proxies.heal(fault.target)
