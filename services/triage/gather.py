"""Reads, for a whole batch, which earlier referrals seem to be about the same people, household or place.

Round trips, however many inputs: one call for keys, at most three to the index, and where blocks hold candidates one
read of their facts and one call for their keys. Names are opened to be compared, and let go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from safeguarding.v1.access_control_pb2 import ROLE_PUBLIC, ROLE_VOLUNTEER
from safeguarding.v1.common_pb2 import FieldGroup, MatchKeys, Sealed
from safeguarding.v1.concern_pb2 import Identity
from safeguarding.v1.triage_pb2 import Linked
from services.chassis.deciding import Input, Upstream
from services.chassis.keys import ReferralKeys
from services.chassis.sealing import open_part
from services.known import Known, learned
from services.triage.domain import INTAKE, State
from services.triage.evidence import (
    BLOCKS,
    CLOSE_NAME,
    MOST_CANDIDATES,
    SAME_PERSON,
    Evidence,
    is_household,
    likeliest,
    others,
    shared,
    sure_of,
)
from services.triage.index import PLACE, Entry, Index, Key, key_of
from services.triage.likeness import likeness

FOR_THEMSELVES = frozenset({ROLE_PUBLIC, ROLE_VOLUNTEER})
"""Roles that raise what they themselves met; everybody else raises what was brought to them."""


class OpensKeys(Protocol):
    """See chassis.keys.Keys."""

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> Mapping[str, ReferralKeys]:
        """Data keys by referral and key id; raises Away."""
        ...

    def forget(self, referral_id: str) -> None:
        """Drop what is remembered."""
        ...


class Earlier(Protocol):
    """Earlier referrals as triage's store has them."""

    def known(self, referral_ids: Sequence[str]) -> Mapping[str, Known]:
        """What intake's facts say of them, in one read; those that are not there yet are absent."""
        ...


@dataclass(slots=True)
class Heard:
    """A referral of this batch, as it is after the batch, with the match keys that came new."""

    known: Known
    parts: list[tuple[int, Sealed]] = field(default_factory=list)
    keys: list[tuple[int, Key]] = field(default_factory=list)
    """Subject (or PLACE) and match key, once opened."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two subjects of one block, whose names are to be compared."""

    referral_id: str
    subject: int
    other: Entry


class Gatherer:
    """Finds links for a batch; used by the engine's thread alone."""

    def __init__(self, keys: OpensKeys, index: Index, earlier: Earlier) -> None:
        self._keys = keys
        self._index = index
        self._earlier = earlier

    def gather(self, work: Sequence[tuple[State, Input]]) -> Mapping[str, Any]:
        """`links`: suggestions by referral, the likeliest first. Raises Away."""
        heard, erased = _heard(work)
        for referral_id, _ in erased:
            self._keys.forget(referral_id)
        asking = {referral_id: each for referral_id, each in heard.items() if each.parts}
        links = self._links(asking, heard) if asking else {}
        for referral_id, subjects in erased:
            self._index.forget(referral_id, subjects)
        return {"links": links}

    def _links(self, asking: Mapping[str, Heard], heard: Mapping[str, Heard]) -> dict[str, Sequence[Linked]]:
        opened = self._open({referral_id: each.known for referral_id, each in asking.items()})
        for referral_id, each in asking.items():
            each.keys = match_keys(referral_id, each.parts, opened[referral_id])
        found = self._index.add(
            entries_of((referral_id, each.known, each.keys) for referral_id, each in asking.items())
        )
        evidence: dict[str, dict[str, Evidence]] = {referral_id: {} for referral_id in asking}
        pairs: list[Pair] = []
        for referral_id, each in asking.items():
            pairs += _weigh(referral_id, each, found, evidence[referral_id])
        if pairs:
            self._compare(pairs, heard, opened, evidence)
        return {referral_id: likeliest(each.values()) for referral_id, each in evidence.items()}

    def _compare(
        self,
        pairs: Sequence[Pair],
        heard: Mapping[str, Heard],
        opened: Mapping[str, ReferralKeys],
        evidence: Mapping[str, dict[str, Evidence]],
    ) -> None:
        """Open the names of both of each pair, and let them go again."""
        known = {referral_id: each.known for referral_id, each in heard.items()}
        missing = sorted({pair.other.referral_id for pair in pairs} - set(known))
        if missing:
            known |= self._earlier.known(missing)
        unopened = {pair.other.referral_id for pair in pairs if pair.other.referral_id in known} - set(opened)
        keys = {**opened, **self._open({referral_id: known[referral_id] for referral_id in sorted(unopened)})}
        for pair in pairs:
            one = _identity(pair.referral_id, pair.subject, known, keys)
            other = _identity(pair.other.referral_id, pair.other.subject, known, keys)
            sure = likeness(one, other) if one is not None and other is not None else 0.0
            if sure:
                found = evidence[pair.referral_id]
                own = entry_of(pair.referral_id, pair.subject, known[pair.referral_id])
                found.setdefault(pair.other.referral_id, Evidence(pair.other)).add(CLOSE_NAME, sure, own, pair.other)

    def _open(self, known: Mapping[str, Known]) -> Mapping[str, ReferralKeys]:
        if not known:
            return {}
        needed = {
            referral_id: {part.key_id for part in _parts(each) if part.key_id not in each.erased}
            for referral_id, each in known.items()
        }
        return self._keys.open(list(known), needed)


def entry_of(referral_id: str, subject: int, known: Known) -> Entry:
    """The entry of one subject of a referral, or of its place."""
    raised_at = known.raised_at.ToMilliseconds() if known.raised_at is not None else 0
    kinds = tuple(known.raised.kinds) if known.raised is not None else ()
    role = known.subjects[subject].role if subject in known.subjects else 0
    return Entry(referral_id, subject, raised_at, kinds, role, _for_themselves(known))


def _for_themselves(known: Known) -> str:
    """Who raised what they themselves met; nobody where it is anonymous, since many may share that way in."""
    raiser, raised = known.raiser, known.raised
    if raiser is None or raised is None or raised.anonymous or raiser.role not in FOR_THEMSELVES:
        return ""
    return f"{raiser.role}/{raiser.id}"


def match_parts(known: Known) -> list[tuple[int, Sealed]]:
    """Every sealed part with match keys, with its subject's number, or PLACE."""
    of_subjects = [(number, part) for number, subject in known.subjects.items() for part in subject.parts]
    of_place = [(PLACE, part) for part in known.parts]
    return [(number, part) for number, part in (*of_subjects, *of_place) if part.group == FieldGroup.FIELD_GROUP_MATCH]


def _heard(work: Sequence[tuple[State, Input]]) -> tuple[dict[str, Heard], list[tuple[str, list[int]]]]:
    """The referrals of which intake's new facts tell, and the subjects that were erased."""
    heard: dict[str, Heard] = {}
    erased: list[tuple[str, list[int]]] = []
    for state, given in work:
        if not isinstance(given, Upstream) or given.writer != INTAKE:
            continue
        fact: Any = given.fact
        each = heard.setdefault(given.referral_id, Heard(state.known))
        if fact.header.sequence != each.known.sequence + 1:
            continue  # a repeat, or one that will be held until what is missing came
        each.known = learned(each.known, fact)
        match fact.WhichOneof("fact"):
            case "raised":
                each.parts = match_parts(each.known)
            case "amended" if fact.amended.kinds or fact.amended.subjects or fact.amended.parts:
                # All of them, since an entry also says what the referral is about.
                each.parts = match_parts(each.known)
            case "erased":
                erased.append((given.referral_id, _subjects_of(fact.erased.key_ids)))
    return heard, erased


def _subjects_of(key_ids: Iterable[str]) -> list[int]:
    """The subjects whose keys these are; the narrative's key is the place's."""
    return [int(key_id.rpartition("-")[2]) if key_id.startswith("subject-") else PLACE for key_id in key_ids]


def _parts(known: Known) -> Iterator[Sealed]:
    """What is opened to find links: match keys, and names."""
    yield from (part for _, part in match_parts(known))
    for subject in known.subjects.values():
        yield from (part for part in subject.parts if part.group == FieldGroup.FIELD_GROUP_IDENTITY)


def match_keys(referral_id: str, parts: Iterable[tuple[int, Sealed]], keys: ReferralKeys) -> list[tuple[int, Key]]:
    """The match keys of sealed parts, each with its subject's number, or PLACE."""
    opened = [(subject, open_part(keys, referral_id, part, MatchKeys)) for subject, part in parts]
    return [(subject, key_of(key)) for subject, found in opened if found is not None for key in found.keys]


def entries_of(referrals: Iterable[tuple[str, Known, Sequence[tuple[int, Key]]]]) -> dict[Key, list[Entry]]:
    """The entries of referrals by match key."""
    entries: dict[Key, list[Entry]] = {}
    for referral_id, known, keys in referrals:
        for subject, key in keys:
            entries.setdefault(key, []).append(entry_of(referral_id, subject, known))
    return entries


def _weigh(
    referral_id: str, each: Heard, found: Mapping[Key, Sequence[Entry]], evidence: dict[str, Evidence]
) -> list[Pair]:
    """Take in what is shared as it stands; the pairs that a block brings together, each once."""
    pairs: dict[tuple[int, str, int], Pair] = {}
    certain: set[tuple[int, str, int]] = set()
    for subject, key in each.keys:
        present = others(found[key], referral_id)
        crowded = len(present) > MOST_CANDIDATES
        for other in present[:MOST_CANDIDATES]:
            place = (subject, other.referral_id, other.subject)
            if key[0] in BLOCKS:
                if not crowded:
                    pairs[place] = Pair(referral_id, subject, other)
                continue
            by = shared(key[0], subject, other)
            if crowded and is_household(by):
                continue
            if by in SAME_PERSON:
                certain.add(place)
            one = entry_of(referral_id, subject, each.known)
            evidence.setdefault(other.referral_id, Evidence(other)).add(by, sure_of(by), one, other)
    return [pair for place, pair in pairs.items() if place not in certain]


def _identity(
    referral_id: str, subject: int, known: Mapping[str, Known], keys: Mapping[str, ReferralKeys]
) -> Identity | None:
    sealed_subject = known[referral_id].subjects.get(subject) if referral_id in known else None
    if sealed_subject is None:
        return None
    part = next((part for part in sealed_subject.parts if part.group == FieldGroup.FIELD_GROUP_IDENTITY), None)
    return open_part(keys.get(referral_id, {}), referral_id, part, Identity) if part is not None else None
