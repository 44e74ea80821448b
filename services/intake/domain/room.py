"""What a referral has room for, whatever its raiser adds to it command by command. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE, Sealed
from safeguarding.v1.intake_pb2 import Amended, InformationSupplied
from services.chassis.deciding import Refused, Why
from services.known import Known

MOST_SUBJECTS = 20
"""As SealedSubject.number states: a fact that names a further one is parked by everybody who reads it."""
MOST_NARRATIVE_BYTES = 400_000
"""Of all narratives together, sealed. One copy holds them all, beside at most 20 people (320,000 bytes) and the rest of
an offer (50,000), and a broker takes no record above 1 MiB unless it is told to."""
SEALING = 32
"""What sealing adds to a text at most: its tag, and the text's own field."""


def room_for_amended(known: Known, amended: Amended) -> None:
    """Raises Refused where the referral would hold more than its readers take."""
    numbers = set(known.subjects).union(subject.number for subject in amended.subjects)
    if len(numbers) > MOST_SUBJECTS:
        left = MOST_SUBJECTS - len(known.subjects)
        raise Refused(
            Why.ILLEGAL,
            f"a concern is about {MOST_SUBJECTS} people at most",
            f"name at most {left} more, and raise another concern about the others",
            field="further_subjects",
        )
    _room_for_narratives(known, amended.parts, "narrative")


def room_for_supplied(known: Known, supplied: InformationSupplied) -> None:
    """The same of what is supplied."""
    _room_for_narratives(known, [supplied.information], "information")


def _room_for_narratives(known: Known, added: Iterable[Sealed], field: str) -> None:
    more = sum(_size(part) for part in added if part.group == FIELD_GROUP_NARRATIVE)
    held = sum(map(_size, known.narratives))
    if not more or held + more <= MOST_NARRATIVE_BYTES:
        return
    left = max(0, MOST_NARRATIVE_BYTES - held - SEALING)
    right = "speak to the triage desk, or raise what is new as another concern"
    raise Refused(
        Why.ILLEGAL,
        "the accounts of this concern would together be too long to be given to a partner",
        f"at most {left:,} bytes more; else {right}" if left else right,
        field=field,
    )


def _size(part: Sealed) -> int:
    return len(part.ciphertext)
