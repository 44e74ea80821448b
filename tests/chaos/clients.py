"""Raisers and the desk: each call under the caller's own certificate, repeated by the same key until answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import grpc

from safeguarding.v1 import intake_pb2, intake_pb2_grpc, routing_pb2, routing_pb2_grpc, triage_pb2, triage_pb2_grpc
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.intake_pb2 import RaiseConcernRequest, RaiseConcernResponse, ReferralState
from safeguarding.v1.partner_pb2 import AUDIENCE_VICTIM, ToldReply
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.identity import ROLE_NAMES
from services.cli.local import authority, directory
from services.cli.local.stack import Stack
from tests.chaos.ledger import Ledger, Submission
from tests.chaos.load import STORM_REPEATS, Work

T = TypeVar("T")

CALL_SECONDS = 8.0
BULK_SECONDS = 30.0
IN_ONE_MESSAGE = 20
ANSWER = "What I know besides."
PATIENCE = 150.0
"""A client that is not answered for so long gives up, and that is a fault."""
PAUSE = 0.2
REPEAT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
"""Unknown, or not now: the same call again by the same key. Every other code is the answer."""


class Who(NamedTuple):
    """An identity: its role and name, as in its certificate, and the kind that the directory gives it."""

    role: str
    id: str
    kind: str = ""


DESK = Who("triage", "desk-chaos", "triage_officer")


class GivenUp(Exception):
    """A call was not answered within PATIENCE."""


class Channels:
    """One channel for each identity and service; identities are made when first asked for. Thread-safe."""

    def __init__(self, stack: Stack, address: Callable[[str], str]) -> None:
        """`address` says where a service is called."""
        self._stack = stack
        self._address = address
        self._issuer = authority.ensure(stack.home)
        self._open: dict[tuple[str, str, str], grpc.Channel] = {}
        self._lock = threading.Lock()

    def to(self, service: str, who: Who) -> grpc.Channel:
        """The channel of `who` to a service."""
        with self._lock:
            known = self._open.get((service, who.role, who.id))
            if known is None:
                if who.role != "partner":  # partners have an entry already, with their key
                    directory.write(self._stack.home, who.role, who.id, {"name": who.id, "kind": who.kind or who.role})
                known = self._open[service, who.role, who.id] = channel(self._address(service), self.tls(who))
        return known

    def tls(self, who: Who) -> TlsFiles:
        """The files that prove who it is."""
        identity = self._issuer.issue(who.role, who.id)
        return TlsFiles(identity.certificate, identity.key, identity.authority)

    def close(self) -> None:
        """Close all."""
        for each in self._open.values():
            each.close()


class Clients:
    """Raises concerns and reads outcomes. Thread-safe; what goes wrong is written into the ledger."""

    def __init__(self, channels: Channels, ledger: Ledger, stopping: threading.Event) -> None:
        self._channels = channels
        self._ledger = ledger
        self._stopping = stopping
        self.codes: dict[str, int] = {}
        """How often each code other than OK was met; for the report."""

    def do(self, work: Iterable[Work]) -> None:
        """Do what comes until there is no more."""
        for each in work:
            try:
                if each.bulk:
                    self.raise_in_bulk(each.submissions)
                elif each.storm:
                    self.storm(each.submissions[0])
                else:
                    self.raise_one(each.submissions[0])
            except GivenUp as given_up:
                self._ledger.trouble(str(given_up))
            except grpc.RpcError as error:
                self._ledger.trouble(f"raising {each.submissions[0].key}: {error.code().name}")

    def raise_one(self, submission: Submission) -> RaiseConcernResponse:
        """Raise one concern until it is acknowledged."""
        stub = self._intake(submission)
        request = request_of(submission)
        answer: RaiseConcernResponse = self.insist(
            submission.key, lambda: stub.RaiseConcern(request, timeout=CALL_SECONDS)
        )
        self._ledger.acknowledged(submission, answer)
        return answer

    def storm(self, submission: Submission) -> None:
        """Ten times the same at once, then once more until it is answered, then the key with another body."""
        stub = self._intake(submission)
        request = request_of(submission)
        calls = [stub.RaiseConcern.future(request, timeout=CALL_SECONDS) for _ in range(STORM_REPEATS)]
        for call in calls:
            if call.exception() is None:
                self._ledger.acknowledged(submission, call.result())
            elif call.code() not in REPEAT:
                self._ledger.trouble(f"storm of {submission.key}: {call.code().name}")
        self.raise_one(submission)
        self.alter(submission)

    def alter(self, submission: Submission) -> None:
        """The key of an acknowledged concern with another body: to be refused as that."""
        stub = self._intake(submission)
        altered = request_of(submission)
        altered.concern.narrative.text += " And more."
        code = self.insist(submission.key, lambda: _code_of(lambda: stub.RaiseConcern(altered, timeout=CALL_SECONDS)))
        if code is not grpc.StatusCode.ALREADY_EXISTS:
            self._ledger.trouble(f"key {submission.key} with another body: {code.name}")

    def raise_in_bulk(self, submissions: Iterable[Submission]) -> None:
        """Raise all in one stream; those that were not acknowledged come again, by the same keys."""
        all_of_them = {submission.key: submission for submission in submissions}
        stub = self._intake(next(iter(all_of_them.values())))

        def stream() -> intake_pb2.RaiseConcernsResponse:
            requests = [request_of(submission) for submission in all_of_them.values()]
            starts = range(0, len(requests), IN_ONE_MESSAGE)
            messages = [intake_pb2.RaiseConcernsRequest(concerns=requests[at : at + IN_ONE_MESSAGE]) for at in starts]
            answer: intake_pb2.RaiseConcernsResponse = stub.RaiseConcerns(iter(messages), timeout=BULK_SECONDS)
            return answer

        answer = self.insist(next(iter(all_of_them)), stream)
        if answer.refused or len(answer.raised) != len(all_of_them):
            self._ledger.trouble(f"a bulk of {len(all_of_them)}: {len(answer.raised)} raised, {answer.refused}")
        for submission, raised in zip(all_of_them.values(), answer.raised, strict=False):
            self._ledger.acknowledged(submission, raised)

    def read_outcome(self, referral_id: str, submission: Submission) -> bool:
        """One look at the outcome; True once the raiser is told that the referral is closed."""
        stub = routing_pb2_grpc.RoutingStub(self._channels.to("partner-routing", who_raises(submission)))
        request = routing_pb2.ReadOutcomeRequest(referral_id=referral_id)
        answer: routing_pb2.ReadOutcomeResponse = self.insist(
            submission.key, lambda: stub.ReadOutcome(request, timeout=CALL_SECONDS)
        )
        told = answer.state == ReferralState.REFERRAL_STATE_CLOSED and answer.outcome_known
        if told:
            self._ledger.closed(referral_id)
        return told

    def record_told(self, referral_id: str, submission: Submission) -> bool:
        """The desk records that the victim was told, or why not, where there is a victim. False: it is too early."""
        victim = submission.stated.ending.victim
        if victim is None:
            return True
        stub = routing_pb2_grpc.RoutingStub(self._channels.to("partner-routing", DESK))
        request = routing_pb2.RecordToldRequest(
            idempotency_key=f"told-{submission.key}"[:100],
            referral_id=referral_id,
            told=ToldReply(audience=AUDIENCE_VICTIM, not_told=victim.not_told),
        )
        code = self.insist(submission.key, lambda: _code_of(lambda: stub.RecordTold(request, timeout=CALL_SECONDS)))
        if code not in (grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION):
            self._ledger.trouble(f"telling the victim of {referral_id}: {code.name}")
        return code is grpc.StatusCode.OK

    def came_back(self, referral_ids: Iterable[str]) -> frozenset[str]:
        """Those of which the desk is shown that a leg came back to it."""
        stub = triage_pb2_grpc.TriageStub(self._channels.to("triage", DESK))

        def shown(referral_id: str) -> bool:
            request = triage_pb2.GetAssessmentRequest(referral_id=referral_id, reason="triage")
            found = self.insist(referral_id, lambda: stub.GetAssessment(request, timeout=CALL_SECONDS))
            return bool(found.item.came_back)

        return frozenset(filter(shown, referral_ids))

    def answer_question(self, referral_id: str, submission: Submission) -> None:
        """One look at whether a partner asked, and the raiser's answer where one did."""
        stub = self._intake(submission)
        look = intake_pb2.GetReferralRequest(referral_id=referral_id)
        found = self.insist(submission.key, lambda: stub.GetReferral(look, timeout=CALL_SECONDS))
        if not found.question:
            return
        request = intake_pb2.SupplyInformationRequest(
            idempotency_key=f"answer-{found.sequence}-{submission.key}"[:100],
            referral_id=referral_id,
            seen_sequence=found.sequence,
            information=Narrative(text=ANSWER),
        )
        code = self.insist(
            submission.key, lambda: _code_of(lambda: stub.SupplyInformation(request, timeout=CALL_SECONDS))
        )
        if code not in (grpc.StatusCode.OK, grpc.StatusCode.ABORTED):  # aborted: another look has answered it
            self._ledger.trouble(f"answering on {referral_id}: {code.name}")

    def insist(self, key: str, call: Callable[[], T]) -> T:
        """Repeat until it is answered. Raises what no repeat will mend, and GivenUp."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                code = error.code()
                self.codes[code.name] = self.codes.get(code.name, 0) + 1
                if code not in REPEAT:
                    raise
                if time.monotonic() > deadline or self._stopping.wait(PAUSE):
                    raise GivenUp(f"{key} was not answered, last {code.name}") from error

    def _intake(self, submission: Submission) -> intake_pb2_grpc.IntakeStub:
        return intake_pb2_grpc.IntakeStub(self._channels.to("intake", who_raises(submission)))


def who_raises(submission: Submission) -> Who:
    """The identity of its raiser."""
    raiser = submission.stated.raiser
    return Who(ROLE_NAMES[raiser.role], raiser.id, raiser.kind)


def request_of(submission: Submission) -> RaiseConcernRequest:
    """The request that the key stands for: always the same."""
    return RaiseConcernRequest(idempotency_key=submission.key, concern=submission.stated.concern)


def _code_of(call: Callable[[], Any]) -> grpc.StatusCode:
    """The code that the call is answered with; raises what is to be repeated."""
    try:
        call()
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        if code in REPEAT:
            raise
        return code
    return grpc.StatusCode.OK
