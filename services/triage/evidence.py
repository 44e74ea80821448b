"""What two referrals share, weighed: how sure a link is, and in what they are the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from safeguarding.v1.common_pb2 import MatchKind, SubjectRole
from safeguarding.v1.triage_pb2 import SAMENESS_HOUSEHOLD, SAMENESS_LOCATION, SAMENESS_PERSON, Linked
from services.triage.index import PLACE, Entry

MOST_CANDIDATES = 50
"""Of a block: names are opened for no more than so many. Also of what is shared: more share it than live together."""
MOST_LINKS = 20
"""Of one referral, the likeliest."""
SUFFERERS = frozenset(
    {
        SubjectRole.SUBJECT_ROLE_VICTIM,
        SubjectRole.SUBJECT_ROLE_BUSINESS,
        SubjectRole.SUBJECT_ROLE_CHILD,
        SubjectRole.SUBJECT_ROLE_ADULT_AT_RISK,
        SubjectRole.SUBJECT_ROLE_WITNESS,
    }
)
"""Who complains, as against whom it is complained of."""
LEAST_SCORE = 40
"""What is less likely is not suggested."""
HIGHEST_SCORE = 99
"""What only a person's confirmation exceeds."""
BLOCKS = frozenset(
    {
        MatchKind.MATCH_KIND_SOUND_AND_BIRTH_DATE,
        MatchKind.MATCH_KIND_SOUNDS_AND_BIRTH_YEAR,
        MatchKind.MATCH_KIND_SOUND_AND_POSTCODE,
    }
)
CLOSE_NAME = "close_name"
SAME_PERSON = frozenset({"number", "name_and_birth_date"})
"""Where both share this, their names need not be opened."""

_SURE: dict[str, float] = {
    "number": 0.97,
    "name_and_birth_date": 0.90,
    "telephone": 0.50,
    "address": 0.45,
    "place": 0.45,
}
"""How sure each alone makes a link: docs/matching.md has what comes of it."""
_SAME: dict[str, Any] = {
    "number": SAMENESS_PERSON,
    "name_and_birth_date": SAMENESS_PERSON,
    CLOSE_NAME: SAMENESS_PERSON,
    "telephone": SAMENESS_HOUSEHOLD,
    "address": SAMENESS_HOUSEHOLD,
    "place": SAMENESS_LOCATION,
}


@dataclass(slots=True)
class Evidence:
    """All that was found of one other referral."""

    other: Entry
    sure: dict[str, float] = field(default_factory=dict)
    same_complainant: bool = False

    def add(self, by: str, sure: float, one: Entry, other: Entry) -> None:
        """One thing that a subject of each shares; the surest of a kind counts."""
        self.sure[by] = max(sure, self.sure.get(by, 0.0))
        suffered = one.role in SUFFERERS and other.role in SUFFERERS and _SAME[by] != SAMENESS_LOCATION
        raised = one.raiser != "" and one.raiser == other.raiser
        self.same_complainant = self.same_complainant or suffered or raised

    @property
    def score(self) -> int:
        """From 0 to 99: that not all of it is chance."""
        return min(HIGHEST_SCORE, round(100 * (1 - prod(1 - sure for sure in self.sure.values()))))

    def linked(self) -> Linked:
        """As a fact says it."""
        linked = Linked(
            other_referral_id=self.other.referral_id,
            by=", ".join(sorted(self.sure)),
            score=self.score,
            same=sorted({_SAME[by] for by in self.sure}),
            other_kinds=self.other.kinds,  # type: ignore[arg-type]  # ints of the enum
            same_complainant=self.same_complainant,
        )
        linked.other_raised_at.FromMilliseconds(self.other.raised_at_ms)
        return linked


def shared(kind: int, subject: int, other: Entry) -> str:
    """What it is called that a subject (or the place) and an entry share, but for blocks."""
    match kind:
        case MatchKind.MATCH_KIND_NUMBER:
            return "number"
        case MatchKind.MATCH_KIND_NAME_AND_BIRTH_DATE:
            return "name_and_birth_date"
        case MatchKind.MATCH_KIND_TELEPHONE:
            return "telephone"
        case MatchKind.MATCH_KIND_ADDRESS if subject != PLACE and other.subject != PLACE:
            return "address"
        case _:
            return "place"


def sure_of(by: str) -> float:
    """How sure it makes a link that both share this."""
    return _SURE[by]


def is_household(by: str) -> bool:
    """True for what people share who live together, and strangers who meet at one door or one desk."""
    return bool(_SAME[by] == SAMENESS_HOUSEHOLD)


def others(entries: Iterable[Entry], referral_id: str) -> list[Entry]:
    """The entries of other referrals, one for each of their subjects, the newest first."""
    latest = {(entry.referral_id, entry.subject): entry for entry in entries if entry.referral_id != referral_id}
    return sorted(latest.values(), key=lambda entry: (-entry.raised_at_ms, entry.referral_id, entry.subject))


def likeliest(found: Iterable[Evidence]) -> Sequence[Linked]:
    """What to suggest."""
    good = [evidence for evidence in found if evidence.score >= LEAST_SCORE]
    good.sort(key=lambda evidence: (-evidence.score, -evidence.other.raised_at_ms, evidence.other.referral_id))
    return [evidence.linked() for evidence in good[:MOST_LINKS]]
