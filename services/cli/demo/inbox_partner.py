"""A partner without Kafka: it looks into its inbox, opens each leg's copy once and answers by gRPC."""

from __future__ import annotations

import threading
from typing import Any

from safeguarding.v1 import routing_pb2
from safeguarding.v1.partner_pb2 import Reply
from safeguarding.v1.routing_pb2 import InboxCommand
from safeguarding.v1.routing_pb2_grpc import PartnerInboxStub
from services.cli.demo.play import Play
from services.cli.demo.story import note_of, replies
from tests.e2e.checker import CopyRead

LOOK_EVERY = 0.3
CALL_SECONDS = 10.0
MOST = 500


class InboxPartner:
    """One partner on a thread of its own, from `start` to `finish`."""

    def __init__(self, inbox: PartnerInboxStub, partner_id: str, play: Play) -> None:
        self.id = partner_id
        self._inbox = inbox
        self._play = play
        self._opened: set[str] = set()
        self._finishing = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"partner-{partner_id}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def finish(self) -> None:
        """Look once more, then stop; raises what went wrong on its thread."""
        self._finishing.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._finishing.wait(LOOK_EVERY):
                self._look()
            self._look()
        except BaseException as error:  # noqa: BLE001 - raised by finish: a thread has nobody to raise to
            self._failure = error

    def _look(self) -> None:
        listed = self._inbox.List(routing_pb2.ListRequest(limit=MOST), timeout=CALL_SECONDS)
        for item in listed.items:
            # A partner may be quicker than intake's OK to the raiser, which names the story: then it looks again.
            if item.leg_id not in self._opened and self._play.course(item.referral_id):
                self._opened.add(item.leg_id)
                self._open(item)

    def _open(self, item: routing_pb2.InboxItem) -> None:
        request = routing_pb2.OpenCopyRequest(referral_id=item.referral_id, leg_id=item.leg_id)
        copy = self._inbox.OpenCopy(request, timeout=CALL_SECONDS).copy
        self._play.read(CopyRead(self.id, copy.SerializeToString(deterministic=True), copy))
        course = self._play.course(copy.referral_id)
        partner = course.stated.partners.get(self.id) if course else None
        if course is None or partner is None:
            return  # nobody demanded it: the checker says so
        said = list(replies(copy, course.stated, partner))
        for reply in said:
            self._say(reply, note_of(reply, partner))
        if said:
            self._play.answered(copy.referral_id, self.id)

    def _say(self, reply: Reply, note: str) -> None:
        command = InboxCommand(
            idempotency_key=reply.reply_id, referral_id=reply.referral_id, leg_id=reply.leg_id, note=note
        )
        rpc: Any
        request: Any
        match reply.WhichOneof("step"):
            case "received":
                rpc, request = self._inbox.Acknowledge, routing_pb2.AcknowledgeRequest(command=command)
            case "accepted":
                rpc, request = self._inbox.Accept, routing_pb2.AcceptRequest(command=command)
            case "declined":
                rpc = self._inbox.Decline
                request = routing_pb2.DeclineRequest(command=command, reason=reply.declined.reason)
            case "progress":
                rpc = self._inbox.Progress
                request = routing_pb2.ProgressRequest(command=command, on_hold=reply.progress.on_hold)
            case "outcome":
                rpc = self._inbox.Complete
                request = routing_pb2.CompleteRequest(command=command, outcome=reply.outcome.outcome)
            case "failed":
                rpc = self._inbox.Fail
                request = routing_pb2.FailRequest(command=command, reason=reply.failed.reason)
            case "told":
                rpc, request = self._inbox.Tell, routing_pb2.TellRequest(command=command, told=reply.told)
            case step:
                raise ValueError(f"the inbox has no {step}")
        rpc(request, timeout=CALL_SECONDS)
