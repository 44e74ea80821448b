"""Reads, for a whole batch, what decisions need beyond the referral: data keys, and notes sealed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from safeguarding.v1.procedure_pb2 import RecordConferenceRequest
from safeguarding.v1.routing_pb2 import ReleasePartnerRequest
from services.chassis.deciding import ClockRanOut, Command, Input, PartnerReply, Upstream
from services.chassis.keys import Keys, ReferralKeys
from services.chassis.sealing import seal
from services.known import Known
from services.partner_routing.domain import State

INTAKE = "intake"
NOTE_VERSION = 2_000_000
"""Versions of what routing seals begin here, so that they never meet intake's or triage's."""


class Gatherer:
    """One call to intake for a whole batch, and none for what is remembered."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def gather(self, work: Sequence[tuple[State, Input]]) -> Mapping[str, Any]:
        """`keys` by referral, and `notes`, the replies' personal parts sealed again, by cause."""
        needed: dict[str, set[str]] = {}
        expected: set[str] = set()
        for state, given in work:
            if _erases(given):
                self._keys.forget(given.referral_id)
            if _is_early(state, given):
                expected.add(given.referral_id)
            elif may_need_keys(given):
                needed[given.referral_id] = _key_ids(state.known)
        keys = self._keys.open(needed, needed) if needed else {}
        expected -= needed.keys()
        if expected:
            self._keys.expect(expected)
        notes = {
            given.cause_id: sealed
            for state, given in work
            if isinstance(given, PartnerReply) and (sealed := self._sealed(state, given, keys)) is not None
        }
        return {"keys": keys, "notes": notes}

    def early(self, given: Input) -> bool:
        """True of what intake raised: what triage decides of it follows at once, and needs its keys."""
        if not (isinstance(given, Upstream) and given.writer == INTAKE and given.sequence == 1):
            return False
        self._keys.expect([given.referral_id])
        return True

    def _sealed(self, state: State, given: PartnerReply, keys: Mapping[str, ReferralKeys]) -> Sealed | None:
        key_id = state.known.narrative_key
        key = keys.get(given.referral_id, {}).get(key_id)
        if given.note is None or key is None:
            return None
        version = NOTE_VERSION + state.sequence
        return seal(key, given.referral_id, key_id, FieldGroup.FIELD_GROUP_NARRATIVE, version, given.note)


def _is_early(state: State, given: Input) -> bool:
    """True where intake's fact comes before anybody is to be offered anything: its keys are needed, but not yet."""
    return isinstance(given, Upstream) and given.writer == INTAKE and not (state.asked.legs or state.legs)


def _key_ids(known: Known) -> set[str]:
    """The keys of all that is sealed, and of notes to come."""
    parts = [*known.parts, *(part for subject in known.subjects.values() for part in subject.parts)]
    wanted = {part.key_id for part in parts}
    if known.erased:  # what was remembered may be of before
        wanted.add(known.narrative_key)
    return wanted - known.erased


def _erases(given: Input) -> bool:
    fact: Any = given.fact if isinstance(given, Upstream) and given.writer == INTAKE else None
    return fact is not None and fact.HasField("erased")


def may_need_keys(given: Input) -> bool:
    """True for inputs that may lead to an offer or to minutes, and for replies with a personal part."""
    match given:
        case Upstream() | ClockRanOut():
            return True
        case PartnerReply():
            return given.note is not None or (given.reply is not None and given.reply.HasField("declined"))
        case Command():
            opens = isinstance(given.body, ReleasePartnerRequest | RecordConferenceRequest)
            return opens or type(given.body).__name__ == "DeclineRequest"
