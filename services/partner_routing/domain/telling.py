"""What whoever raised a concern reads once it has ended: on every path, in plain words fit for their role. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM
from safeguarding.v1.partner_pb2 import FailureReason, Outcome
from safeguarding.v1.triage_pb2 import NoFurtherActionReason as Nothing
from services.partner_routing.domain.leg import Leg, taken_up
from services.partner_routing.domain.state import State

PROFESSIONAL = frozenset({ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM})
"""Roles that learn how a referral ended; everyone else learns that it was acted on."""
ENDS: Mapping[int, str] = {
    Outcome.OUTCOME_MADE_SAFE: "the person was made safe",
    Outcome.OUTCOME_SUPPORTED: "the person is being supported",
    Outcome.OUTCOME_ADVICE_GIVEN: "advice was given",
    Outcome.OUTCOME_ASSESSMENT_OPENED: "an assessment was opened",
    Outcome.OUTCOME_ACTION_TAKEN: "action was taken",
    Outcome.OUTCOME_NO_NEED_FOUND: "it was looked into and no further need was found",
}
FAILURES: Mapping[int, str] = {
    FailureReason.FAILURE_REASON_UNREACHABLE: "the person could not be reached",
    FailureReason.FAILURE_REASON_REFUSED_BY_PERSON: "the person did not want the service",
    FailureReason.FAILURE_REASON_MOVED_AWAY: "the person has moved away",
}
"""Why work that was taken on could not be done."""
ENDED, NOT_DONE = "the work is done", "the work could not be completed"
"""For what a later version may say; a test holds that every end of this version has words of its own."""
JOINED = "somebody works with the person already, and takes it into that"
ACTED_ON = "What you told us was acted on. Thank you. We cannot share more, to protect those concerned."


class Said(NamedTuple):
    """The words for one end: to those whose work it is, and to everybody else."""

    professional: str
    other: str


_LOOKED = "We looked at what you told us"
_NOTHING = f"{_LOOKED} and decided with care that nothing more is needed now. Thank you."
_MORE = "there was not enough to act on. If you learn more, please tell us. Thank you."
NOTHING_MORE: Mapping[int, Said] = {
    Nothing.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD: Said(
        f"{_LOOKED} with care: it is below the threshold for a referral, and advice was given.", _NOTHING
    ),
    Nothing.NO_FURTHER_ACTION_REASON_ALREADY_KNOWN: Said(
        f"{_LOOKED} with care: those who can help know of it already and go on with it.", _NOTHING
    ),
    Nothing.NO_FURTHER_ACTION_REASON_NOT_ENOUGH_INFORMATION: Said(
        f"{_LOOKED} with care: {_MORE}", f"{_LOOKED} with care: {_MORE}"
    ),
    Nothing.NO_FURTHER_ACTION_REASON_DUPLICATE: Said(
        f"{_LOOKED} with care: it had been raised before, and is dealt with there.", _NOTHING
    ),
    Nothing.NO_FURTHER_ACTION_REASON_WITHDRAWN: Said(
        "You took back what you told us, and we agree that nothing more is needed.",
        "You took back what you told us, and we agree that nothing more is needed. Thank you.",
    ),
}
"""Why nothing more is done. That somebody is known already, or that another told of them, is not for everybody."""


def outcome_words(state: State, role: int) -> str:
    """What happened, in plain words fit for the role; empty until it is known."""
    if not state.outcome_known:
        return ""
    taken = [leg for leg in state.current if taken_up(leg)]
    professional = role in PROFESSIONAL
    if not taken:
        said = NOTHING_MORE.get(state.asked.why_nothing, Said(_NOTHING, _NOTHING))
        return said.professional if professional else said.other
    if not professional:
        return ACTED_ON
    return f"Your concern was acted on: {'; '.join(dict.fromkeys(_end(leg) for leg in taken))}."


def _end(leg: Leg) -> str:
    """How one leg ended that a partner took up."""
    if leg.joined:
        return JOINED
    return ENDS.get(leg.outcome, ENDED) if leg.outcome else FAILURES.get(leg.failed, NOT_DONE)
