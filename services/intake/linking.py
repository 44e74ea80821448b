"""Match keys: identifiers in one form, hashed under the linking key, so that nobody without it can try a guess."""

from __future__ import annotations

from collections.abc import Iterable

from safeguarding.v1.common_pb2 import MatchKeys
from safeguarding.v1.concern_pb2 import Place, Subject
from services.chassis.keyed import Keyed
from services.intake.identifiers import Identifier, of_place, of_subject

HASH_BYTES = 16


class Linker:
    """Makes match keys; only intake has the key."""

    def __init__(self, linking_key: bytes) -> None:
        self._keyed_hash = Keyed(linking_key)

    def of_subject(self, subject: Subject) -> MatchKeys:
        """The match keys of a person; none where nothing is known that tells people apart."""
        return self._keyed(of_subject(subject))

    def of_place(self, place: Place) -> MatchKeys:
        """The match keys of where it happened."""
        return self._keyed(of_place(place))

    def _keyed(self, identifiers: Iterable[Identifier]) -> MatchKeys:
        keys = MatchKeys()
        for kind, text in identifiers:
            keys.keys.add(kind=kind, hash=self._keyed_hash.digest(f"{kind}|{text}".encode())[:HASH_BYTES])
        return keys
