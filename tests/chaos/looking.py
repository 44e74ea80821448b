"""Calls that only look, one at each service: while its points fail, those of its access facts and handlers are met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import grpc

from safeguarding.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    intake_pb2,
    intake_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
    triage_pb2,
    triage_pb2_grpc,
)
from tests.chaos.clients import CALL_SECONDS, DESK, REPEAT, Channels, Who, who_raises
from tests.chaos.ledger import Ledger, Submission

AUDITOR = Who("auditor", "auditor-chaos")
TOO_EARLY = grpc.StatusCode.NOT_FOUND
"""The service has not read of the referral yet."""


class Looker:
    """Somebody who may look, at what a client was told of first."""

    def __init__(self, channels: Channels, ledger: Ledger) -> None:
        self._channels = channels
        self._ledger = ledger
        self._looks: Mapping[str, Callable[[str, Submission], object]] = {
            "intake": self._at_intake,
            "triage": self._at_triage,
            "partner-routing": self._at_routing,
            "audit": self._at_audit,
        }

    def look(self, service: str) -> None:
        """One look, answered or not; any answer but the data, and that something is away for now, is trouble."""
        oldest = self._ledger.oldest
        if oldest is None:
            return
        try:
            self._looks[service](*oldest)
        except grpc.RpcError as error:
            if error.code() not in (*REPEAT, TOO_EARLY):
                self._ledger.trouble(f"a look at {service}: {error.code().name}")

    def _at_intake(self, referral_id: str, submission: Submission) -> object:
        stub = intake_pb2_grpc.IntakeStub(self._channels.to("intake", who_raises(submission)))
        return stub.GetReferral(intake_pb2.GetReferralRequest(referral_id=referral_id), timeout=CALL_SECONDS)

    def _at_triage(self, referral_id: str, _: Submission) -> object:
        stub = triage_pb2_grpc.TriageStub(self._channels.to("triage", DESK))
        request = triage_pb2.GetAssessmentRequest(referral_id=referral_id, reason="triage")
        return stub.GetAssessment(request, timeout=CALL_SECONDS)

    def _at_routing(self, referral_id: str, submission: Submission) -> object:
        stub = routing_pb2_grpc.RoutingStub(self._channels.to("partner-routing", who_raises(submission)))
        return stub.ReadOutcome(routing_pb2.ReadOutcomeRequest(referral_id=referral_id), timeout=CALL_SECONDS)

    def _at_audit(self, referral_id: str, _: Submission) -> object:
        stub = audit_pb2_grpc.AuditStub(self._channels.to("audit", AUDITOR))
        request = audit_pb2.TimelineRequest(referral_id=referral_id, reason="review")
        return stub.Timeline(request, timeout=CALL_SECONDS)
