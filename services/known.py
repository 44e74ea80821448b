"""What intake's facts say of a referral, folded: the one pure reading that every service shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safeguarding.v1.common_pb2 import Actor, FieldGroup, Sealed
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Amended, Erased, Raised, SealedSubject
from services.frozen import replace

NARRATIVE_KEY = "narrative"
"""The key of that purpose, until an erasure replaces it."""


@dataclass(frozen=True)
class Known:
    """A concern as it stands after all that was amended and supplied; personal parts stay sealed."""

    raised: Raised | None = None
    """What was raised, with the kinds and signs as they are now."""
    raiser: Actor | None = None
    raised_at: Any = None
    subjects: Mapping[int, SealedSubject] = field(default_factory=dict)
    parts: tuple[Sealed, ...] = ()
    """Every sealed part that is no subject's, in the order they came; the last of a group is the present one, but
    for narratives, which are all kept."""
    supplied: int = 0
    """How many times the raiser supplied information."""
    withdrawn: bool = False
    erased: frozenset[str] = frozenset()
    """Key ids that were destroyed; what they sealed is in none of the above any more."""
    narrative_key: str = NARRATIVE_KEY
    """The key under which narratives, and whoever's notes, are sealed now."""
    sequence: int = 0

    @property
    def narratives(self) -> tuple[Sealed, ...]:
        """What the raiser wrote, oldest first."""
        return tuple(part for part in self.parts if part.group == FieldGroup.FIELD_GROUP_NARRATIVE)

    @property
    def consents(self) -> bool:
        """True where the person agreed, and has not taken that back, as far as the raiser says."""
        return self.raised is not None and self.raised.signs.consents_to_support

    @property
    def council(self) -> str:
        """The coarse area, whose council's calendar counts; empty before anything was raised."""
        return self.raised.area if self.raised is not None else ""

    def latest(self, group: int) -> Sealed | None:
        """The present part of a group that is no subject's."""
        return next((part for part in reversed(self.parts) if part.group == group), None)

    def next_version(self, group: int) -> int:
        """The version under which the next sealed part of this group is kept."""
        return 1 + max((part.version for part in self.parts if part.group == group), default=0)

    def raised_by(self, actor: Actor) -> bool:
        """True where the actor raised the referral."""
        return self.raiser is not None and (self.raiser.role, self.raiser.id) == (actor.role, actor.id)


NOTHING = Known()
"""Before the first fact."""


def learned(known: Known, fact: Any) -> Known:
    """What is known after one more of intake's facts."""
    sequence = fact.header.sequence
    match fact.WhichOneof("fact"):
        case "raised":
            return replace(
                known,
                sequence=sequence,
                raised=fact.raised,
                raiser=fact.header.actor,
                raised_at=fact.header.occurred_at,
                subjects={subject.number: subject for subject in fact.raised.subjects[:]},
                parts=tuple(fact.raised.parts[:]),
            )
        case "amended":
            return replace(
                known,
                sequence=sequence,
                raised=_amended(known.raised, fact.amended),
                subjects={**known.subjects, **{subject.number: subject for subject in fact.amended.subjects}},
                parts=known.parts + tuple(fact.amended.parts),
            )
        case "information_supplied":
            return replace(
                known,
                sequence=sequence,
                raised=_with_signs(known.raised, fact.information_supplied.signs),
                parts=(*known.parts, fact.information_supplied.information),
                supplied=known.supplied + 1,
            )
        case "withdrawn":
            return replace(known, sequence=sequence, withdrawn=True)
        case "erased":
            return _erased(replace(known, sequence=sequence), fact.erased)
        case _:
            return replace(known, sequence=sequence)


def _erased(known: Known, erased: Erased) -> Known:
    """Of a subject its number stays, and what it was to the concern."""
    gone = known.erased.union(erased.key_ids)
    subjects = {
        number: SealedSubject(
            number=number, role=subject.role, parts=[part for part in subject.parts if part.key_id not in gone]
        )
        for number, subject in known.subjects.items()
    }
    parts = (*(part for part in known.parts if part.key_id not in gone), *erased.parts)
    key = erased.narrative_key_id or known.narrative_key
    return replace(known, erased=gone, subjects=subjects, parts=parts, narrative_key=key)


def _amended(raised: Raised | None, amended: Amended) -> Raised | None:
    """What was raised, with the kinds and signs that an amendment replaces, and its further subjects."""
    if raised is None:
        return None
    now = Raised()
    now.CopyFrom(raised)
    if amended.kinds:
        del now.kinds[:]
        now.kinds.extend(amended.kinds)
    if amended.HasField("signs"):
        now.signs.CopyFrom(amended.signs)
    now.subjects.extend(amended.subjects)
    return now


def _with_signs(raised: Raised | None, learned_signs: Signs) -> Raised | None:
    """Signs once known stay known: ticks are joined, counts and scores take the higher."""
    if raised is None:
        return None
    now = Raised()
    now.CopyFrom(raised)
    for field_, value in learned_signs.ListFields():
        known = getattr(now.signs, field_.name)
        setattr(now.signs, field_.name, value if isinstance(value, bool) else max(value, known))
    return now
