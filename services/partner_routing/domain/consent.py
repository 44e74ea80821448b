"""What a leg may still do once the person took back that they agreed: its ground for going ahead, or that it stops."""

from __future__ import annotations

from safeguarding.v1.common_pb2 import LAWFUL_BASIS_CONSENT, Standing
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.known import Known


def ground(known: Known, request: RequestedLeg) -> Standing | None:
    """Why it goes ahead without consent: what was named when it was asked for, or for the case that consent ends."""
    if request.HasField("without_consent"):
        return request.without_consent
    if known.consents or not request.HasField("if_consent_ends"):
        return None
    return request.if_consent_ends


def stopped(known: Known, request: RequestedLeg) -> bool:
    """True where it may not be offered: it rested on consent that has ended, or nobody said why it goes ahead."""
    if known.consents:
        return False
    return request.basis == LAWFUL_BASIS_CONSENT or ground(known, request) is None
