"""Erasure: who may ask for it, who must agree, and what a legal hold forbids. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from safeguarding.v1 import intake_pb2
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import ErasureRequested, IntakeFact
from services.chassis.deciding import Command, Refused, Why
from services.frozen import replace
from services.known import NARRATIVE_KEY, Known

MOST_REQUESTS = 998
"""Each has a key of its own, and readers take ids of keys up to narrative-999."""
COMMANDS = (intake_pb2.RequestErasureRequest, intake_pb2.DecideErasureRequest, intake_pb2.SetHoldRequest)


@dataclass(frozen=True)
class Protected:
    """What role protection has said of a referral."""

    held: bool = False
    """True while a legal hold forbids every erasure."""
    requested: ErasureRequested | None = None
    """What waits for a second person."""
    request_event_id: str = ""
    requested_by: Actor | None = None
    overtaken: bool = False
    """True where more was told since, under the key that would go: nobody weighed what of it is to be left."""


UNPROTECTED = Protected()
"""Before anything was said."""


def subject_key(number: int) -> str:
    """The key id of a subject."""
    return f"subject-{number}"


def path_of(key_id: str) -> str:
    """Where the document has the key."""
    return f"keys.{key_id}"


def keys_of(known: Known, subject: int) -> list[str]:
    """The key ids that the erasure of a subject destroys: its own, and that of all narratives and notes."""
    return [subject_key(subject), known.narrative_key]


def next_narrative_key(known: Known, requests: int) -> str:
    """The id of a key for what is left of the narrative; no earlier request ever used it."""
    return f"{NARRATIVE_KEY}-{requests + 2}"


def protected(said: Protected, fact: Any) -> Protected:
    """What is so after one more of intake's facts."""
    match fact.WhichOneof("fact"):
        case "held_for_law":
            return replace(said, held=True)
        case "hold_lifted":
            return replace(said, held=False)
        case "erasure_requested":
            return replace(
                said,
                requested=fact.erasure_requested,
                request_event_id=fact.header.event_id,
                requested_by=fact.header.actor,
                overtaken=False,
            )
        case "erasure_refused" | "erased":
            return replace(said, requested=None, request_event_id="", requested_by=None, overtaken=False)
        case "information_supplied" if said.requested is not None:
            return replace(said, overtaken=True)
        case "amended" if said.requested is not None and fact.amended.parts:
            return replace(said, overtaken=True)
        case _:
            return said


def decide(known: Known, said: Protected, given: Command, requests: int) -> list[IntakeFact]:
    """The fact that follows from a command of role protection, after so many requests. Raises Refused."""
    body: Any = given.body
    if known.raised is None:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
    match body:
        case intake_pb2.SetHoldRequest():
            return _hold(said, body)
        case intake_pb2.RequestErasureRequest():
            return _request(known, said, given, requests)
        case intake_pb2.DecideErasureRequest():
            return _decided(known, said, given)
        case _:
            raise TypeError(f"protection knows no {type(body).__name__}")


def _hold(said: Protected, body: intake_pb2.SetHoldRequest) -> list[IntakeFact]:
    if body.held == said.held:
        stands = "is held already" if said.held else "is not held"
        raise Refused(Why.ILLEGAL, f"the referral {stands}", "nothing needs to be done", field="held")
    if body.held:
        return [IntakeFact(held_for_law=intake_pb2.HeldForLaw(reason=body.reason))]
    return [IntakeFact(hold_lifted=intake_pb2.HoldLifted(reason=body.reason))]


def _request(known: Known, said: Protected, given: Command, requests: int) -> list[IntakeFact]:
    body: Any = given.body
    if requests >= MOST_REQUESTS:
        right = "speak to whoever runs the service: no further key has a name"
        raise Refused(Why.ILLEGAL, f"erasure was asked for {requests} times", right)
    if body.subject not in known.subjects:
        raise Refused(Why.INVALID, "there is no such subject", "name a subject's number", field="subject")
    if subject_key(body.subject) in known.erased:
        raise Refused(Why.ILLEGAL, "the subject was erased already", "nothing needs to be done", field="subject")
    _not_held(said)
    if said.requested is not None:
        raise Refused(Why.ILLEGAL, "another request waits for a second person", "decide that one first")
    requested: ErasureRequested = given.sealed
    return [IntakeFact(erasure_requested=requested)]


def _decided(known: Known, said: Protected, given: Command) -> list[IntakeFact]:
    body: Any = given.body
    requested, by = said.requested, said.requested_by
    if requested is None or by is None or said.request_event_id != body.request_event_id:
        raise Refused(
            Why.ILLEGAL, "no such request waits", "review the referral, and decide what waits", field="request_event_id"
        )
    if not body.agreed:
        return [IntakeFact(erasure_refused=intake_pb2.ErasureRefused(reason=body.reason or "withdrawn"))]
    if (by.role, by.id) == (given.actor.role, given.actor.id):
        raise Refused(Why.FORBIDDEN, "you asked for it yourself", "let a second person of role protection agree")
    _not_held(said)
    if said.overtaken:
        right = "refuse this request, review the referral, and ask again with what of it is to be left"
        raise Refused(Why.ILLEGAL, "the raiser told more since it was asked for, which would go unread", right)
    key_ids = keys_of(known, requested.subject)
    if set(given.drops) != set(map(path_of, key_ids)):
        raise Refused(Why.STALE, "the referral has moved on", "review it again, and decide again")
    erased = intake_pb2.Erased(
        key_ids=key_ids,
        ground=requested.ground,
        subject=requested.subject,
        parts=requested.parts,
        narrative_key_id=requested.narrative_key_id,
        requested_by=by,
    )
    return [IntakeFact(erased=erased)]


def _not_held(said: Protected) -> None:
    if said.held:
        raise Refused(Why.ILLEGAL, "a legal hold forbids every erasure", "lift the hold first, once its reason is gone")
