"""A whole local stack with everyone who uses it: raisers, partners and the desk, each with their own identity."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import grpc

from services.chassis import kafka_headers
from services.cli.demo.people import partners_of
from services.cli.local import environments, partners
from services.cli.local.stack import Stack
from tests.chaos.brokers import ThreeBrokers
from tests.chaos.clients import Channels, Clients, GivenUp
from tests.chaos.ledger import Ledger, Submission
from tests.chaos.load import Gate, Work
from tests.chaos.looking import Looker
from tests.chaos.players import InboxPartner, KafkaPartner, Table
from tests.chaos.poison import Poison
from tests.chaos.wiring import Wiring

RAISERS = 6
READERS = 3
STOP_SECONDS = 60.0
LOOK_AGAIN = 1.0
SWEEP_EVERY = 5.0
SWEEP_AFTER = 15.0
"""Seconds after which a raiser looks at an outcome although nobody hinted that there is one."""

Step = Callable[[str, Submission], bool]
"""Of a referral and what was raised: True where there is no more to do."""


class World(AbstractContextManager["World"]):
    """Starts the stack and makes identities and partners; everyone plays between `begin` and `end`."""

    def __init__(
        self,
        root: Path,
        *,
        wired: bool = False,
        brokers: int = 1,
        clocks: bool = False,
        referrals: int = 0,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`wired`: its links can be broken, its disks, with room for so many `referrals`, filled, and its services'
        points can fail; `clocks`: they can also be set. Raises NoLibrary."""
        kafka_headers.tolerate()  # what is written to harm the services must not harm who looks on
        self._clocks = clocks
        self.stack = Stack(root, ends_with=os.getpid())
        is_wired = wired or clocks or brokers == 3
        disks = brokers == 1 and not clocks
        self._wiring = Wiring(self.stack, disks=disks, clocks=clocks, referrals=referrals) if is_wired else None
        self.brokers = ThreeBrokers(self.stack) if brokers == 3 else None
        self._progress = progress
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._gates: list[Gate] = []
        self._due: list[tuple[float, int, str, Submission, Step]] = []
        self._pushed = itertools.count()
        self._due_changed = threading.Condition()

    def __enter__(self) -> World:
        for change in (self._wiring, self.brokers):
            if change:
                change.__enter__()
        try:
            self.stack.start(progress=self._progress)
            self._progress("making partners")
            self._partners = partners_of(environments.AREAS / self.stack.area)
            partners.add(self.stack, self._partners)
        except BaseException:
            self._stop()
            raise
        self.channels = Channels(self.stack, self._wiring.address if self._wiring else self.stack.address)
        return self

    @property
    def wiring(self) -> Wiring:
        """Raises RuntimeError where the world is not wired."""
        if self._wiring is None:
            raise RuntimeError("this world is not wired for such faults")
        return self._wiring

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads:
            self.end()
        self.channels.close()
        self._stop()

    def _stop(self) -> None:
        self.stack.stop()
        for change in (self.brokers, self._wiring):
            if change:
                change.__exit__(None, None, None)
        if self._wiring:
            self._wiring.close()

    def begin(self) -> None:
        """Open a new ledger, with players that write into it until `end`."""
        if self._threads:
            raise RuntimeError("everyone plays already, into another ledger")
        self._stopping = threading.Event()
        self.ledger = Ledger(self._look_soon, self._answer_soon, clocks_are_right=not self._clocks)
        self.clients = Clients(self.channels, self.ledger, self._stopping)
        with_kafka = [partner.id for partner in self._partners if partner.kafka]
        self.poison = Poison(self.stack, self.channels, self.clients, with_kafka)
        self.looker = Looker(self.channels, self.ledger)
        table = Table(self.stack, self.ledger, self.channels, self._stopping)
        for partner in self._partners:
            player = KafkaPartner(table, partner.id) if partner.kafka else InboxPartner(table, partner.id)
            self._play(f"partner {partner.id}", player.run)
        for number in range(READERS):
            self._play(f"reader {number}", self._follow)

    def end(self) -> None:
        """Let every player finish what it does."""
        self._stopping.set()
        for gate in self._gates:
            gate.close()
        self._gates.clear()
        with self._due_changed:
            self._due_changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        self._threads.clear()
        if stuck:
            raise TimeoutError(f"still playing {STOP_SECONDS:.0f} s after the end: {', '.join(stuck)}")
        self._due.clear()

    def raise_all(self, gate: Iterable[Work]) -> list[threading.Thread]:
        """Begin to raise what comes through; the threads end when there is no more."""
        shared = gate if isinstance(gate, Gate) else Gate(list(gate), 10**9)
        self._gates.append(shared)
        return [self._play(f"raiser {number}", lambda: self.clients.do(shared)) for number in range(RAISERS)]

    def _play(self, name: str, run: Callable[[], None]) -> threading.Thread:
        def played() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - a player that breaks must be seen in the verdict
                self.ledger.trouble(f"{name} broke: {type(error).__name__}: {error}")

        thread = threading.Thread(target=played, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    # -- outcomes --------------------------------------------------------------------------------------------------

    def _look_soon(self, referral_id: str, submission: Submission) -> None:
        self._later(referral_id, submission, self._outcome_told, 0.0)

    def _answer_soon(self, referral_id: str, submission: Submission) -> None:
        self._later(referral_id, submission, self._question_answered, 0.0)

    def _later(self, referral_id: str, submission: Submission, step: Step, after: float) -> None:
        with self._due_changed:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._pushed), referral_id, submission, step))
            self._due_changed.notify()

    def sweep(self) -> None:
        """Let raisers look at every outcome that they were not told yet, hint or none."""
        for referral_id, told in self.ledger.open(SWEEP_AFTER):
            self._look_soon(referral_id, told)

    def _outcome_told(self, referral_id: str, submission: Submission) -> bool:
        """One look at the outcome; False where it is to be looked at again."""
        if self.ledger.is_closed(referral_id):
            return True
        told = self.clients.record_told(referral_id, submission)
        return told and self.clients.read_outcome(referral_id, submission)

    def _question_answered(self, referral_id: str, submission: Submission) -> bool:
        """One look at the question; False until the answer has reached whoever asked."""
        if not self.ledger.is_asked(referral_id):
            return True
        self.clients.answer_question(referral_id, submission)
        return False

    def _follow(self) -> None:
        """What raisers and the desk do once their referrals are under way."""
        while not self._stopping.is_set():
            with self._due_changed:
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._due_changed.wait(min(LOOK_AGAIN, self._due[0][0] - now) if self._due else LOOK_AGAIN)
                    continue
                _, _, referral_id, submission, step = heapq.heappop(self._due)
            try:
                done = step(referral_id, submission)
            except GivenUp as given_up:
                if not self._stopping.is_set():
                    self.ledger.trouble(str(given_up))
                continue
            except grpc.RpcError as error:
                self.ledger.trouble(f"following up {referral_id}: {error.code().name}")
                continue
            if not done:
                self._later(referral_id, submission, step, LOOK_AGAIN)

    def settle(self, seconds: float) -> bool:
        """Wait until every raiser was told that their referral is closed; False after so many seconds in which nobody
        was told anything new. A slow machine takes its time; what is stuck stays stuck."""
        deadline, closed = time.monotonic() + seconds, self.ledger.closed_count
        while time.monotonic() < deadline:
            if self.ledger.wait_closed(min(SWEEP_EVERY, max(0.1, deadline - time.monotonic()))):
                return True
            if self.ledger.closed_count > closed:
                deadline, closed = time.monotonic() + seconds, self.ledger.closed_count
            self.sweep()
        return False
