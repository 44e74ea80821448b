"""Whose record a referral is: its match keys beside those of staff and of well-known persons, all hashed again.

A key of the watch can be made only with intake's linking key, and is another hash than the match key that lies sealed
in facts: neither the directory nor an area's file tells who somebody is, nor which referrals are theirs.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from safeguarding.v1 import intake_pb2, intake_pb2_grpc
from safeguarding.v1.common_pb2 import Actor, FieldGroup, MatchKey, MatchKeys, MatchKind
from safeguarding.v1.concern_pb2 import Subject
from services.chassis.calls import caller
from services.chassis.deciding import Refused, Why
from services.chassis.identity import Name
from services.chassis.keyed import Keyed
from services.chassis.sealing import KeyWrapper, open_part
from services.chassis.staff import Staff
from services.intake.linking import Linker
from services.intake.sealed import unwrapped
from services.intake.views import Referrals

AUDIT = "audit"
"""The one service that may ask."""
KEY_BYTES = 16
ONE_PERSONS = frozenset({MatchKind.MATCH_KIND_NUMBER, MatchKind.MATCH_KIND_NAME_AND_BIRTH_DATE})
"""What one person alone has; a household shares a telephone."""


@dataclass(frozen=True, slots=True)
class Found:
    """Whose record a referral is."""

    staff: frozenset[Name]
    well_known: bool


class Watch:
    """Compares keys; knows nobody's name. Thread-safe."""

    def __init__(
        self,
        linking_key: bytes,
        staff: Callable[[], Mapping[bytes, frozenset[Name]]],
        well_known: Callable[[], frozenset[bytes]],
    ) -> None:
        self._keyed = Keyed(hmac.digest(linking_key, b"watched", "sha256"))
        self._linker = Linker(linking_key)
        self._staff = staff
        self._well_known = well_known

    def keys_of(self, subject: Subject) -> list[str]:
        """What the directory or the area's file states of a person, in hex."""
        return [key.hex() for key in map(self._again, self._linker.of_subject(subject).keys) if key]

    def whose(self, match_keys: Iterable[MatchKey]) -> Found:
        """Whose these match keys are."""
        staff, well_known = self._staff(), self._well_known()
        keys = {key for key in map(self._again, match_keys) if key}
        return Found(
            frozenset(name for key in keys for name in staff.get(key, ())),
            not well_known.isdisjoint(keys),
        )

    def watches(self) -> bool:
        """Whether there is anybody whose record is watched."""
        return bool(self._staff() or self._well_known())

    def _again(self, match_key: MatchKey) -> bytes:
        """The key of the watch; empty for what does not tell one person."""
        if match_key.kind not in ONE_PERSONS:
            return b""
        return self._keyed.digest(match_key.kind.to_bytes(1, "big") + match_key.hash)[:KEY_BYTES]


class WatchedApi(intake_pb2_grpc.WatchedServicer):
    """Answers audit."""

    def __init__(self, referrals: Referrals, wrapper: KeyWrapper, watch: Watch) -> None:
        self._referrals = referrals
        self._wrapper = wrapper
        self._watch = watch

    def FindWatched(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.FindWatchedRequest, context: grpc.ServicerContext
    ) -> intake_pb2.FindWatchedResponse:
        """Which of the referrals are about staff or well-known persons."""
        if caller().id != AUDIT:
            raise Refused(Why.FORBIDDEN, "this is for audit alone", "ask audit for the looks that it flagged")
        response = intake_pb2.FindWatchedResponse()
        if not self._watch.watches():
            return response
        for referral_id, found in self._found(list(dict.fromkeys(request.referral_ids))):
            if found.staff or found.well_known:
                response.referrals.add(
                    referral_id=referral_id,
                    staff=[
                        Actor(role=name.role, id=name.id)
                        for name in sorted(found.staff, key=lambda name: (name.role, name.id))
                    ],
                    well_known=found.well_known,
                )
        return response

    def _found(self, referral_ids: list[str]) -> Iterable[tuple[str, Found]]:
        for referral_id, (document, wrapped) in self._referrals.find_all(referral_ids).items():
            keys = unwrapped(self._wrapper, referral_id, wrapped)
            opened = (
                open_part(keys, referral_id, part, MatchKeys)
                for subject in document.state.known.subjects.values()
                for part in subject.parts
                if part.group == FieldGroup.FIELD_GROUP_MATCH
            )
            yield referral_id, self._watch.whose(key for each in opened if each is not None for key in each.keys)


def watch_of(linking_key: bytes, directory: Path, well_known: Callable[[], frozenset[bytes]]) -> Watch:
    """The watch over whoever the directory and the area's file state."""
    return Watch(linking_key, Staff(directory).by_key, well_known)
