"""Agreements: which field groups a partner is given, decided by the rows of its agreement. Pure once loaded.

A row speaks of a field group of a subject when everything that it states is so. What no row permits is
withheld; a row that forbids beats every row that permits. Outside the days of the agreement, for a purpose
that it does not name, or on consent that was not given, nothing is given. Any other basis stands without consent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from safeguarding.v1.common_pb2 import (
    FIELD_GROUP_CIRCUMSTANCES,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTIFIERS,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_MATCH,
    LAWFUL_BASIS_CONSENT,
)
from safeguarding.v1.common_pb2 import FieldGroup as FieldGroupEnum
from services.chassis.areafile import Strict, Where, Wrong, read, refuse
from services.chassis.clocks import load_clocks
from services.chassis.language import GROUPS, Basis, Group, Kind, SubjectRole
from services.shields import SHIELDED

SUBJECT_GROUPS: frozenset[Group] = frozenset(
    {
        FIELD_GROUP_IDENTITY,
        FIELD_GROUP_IDENTIFIERS,
        FIELD_GROUP_CONTACT,
        FIELD_GROUP_CIRCUMSTANCES,
    }
)
"""The groups that every subject has of its own; all others belong to the referral, as subject 0."""

ALL_GROUPS: tuple[Group, ...] = tuple(
    number for number in FieldGroupEnum.values() if number and number != FIELD_GROUP_MATCH
)
"""All that an agreement may speak of."""

DEFAULT, EXPIRED, PURPOSE, NO_CONSENT = "default", "expired", "purpose", "no_consent"
NO_AGREEMENT = "no_agreement"
STANDING: Mapping[str, str] = {
    DEFAULT: "No row of the agreement gives it.",
    EXPIRED: "The agreement is not in force on this day.",
    PURPOSE: "The agreement does not name this purpose.",
    NO_CONSENT: "It rests on consent, and the person has not agreed.",
    NO_AGREEMENT: "There is no agreement with this party any more.",
    SHIELDED: "It is shielded from this party, whatever the agreement says.",
}
"""What decides beside the rows, in words."""

Purpose = Annotated[str, Field(pattern=r"^[a-z_]{1,60}$", examples=['"child_protection"'])]


class Row(Strict):
    """One row of an agreement. A list that is not stated means any."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$", examples=['"child_identity"'])]
    words: Annotated[str, Field(min_length=1, examples=['"Who the child is."'])]
    groups: Annotated[Sequence[Group], Field(min_length=1, examples=['["identity"]'])]
    subject_roles: Annotated[Sequence[SubjectRole], Field(min_length=1)] | None = None
    kinds: Annotated[Sequence[Kind], Field(min_length=1)] | None = None
    """The concern is of at least one of these kinds."""
    bases: Annotated[Sequence[Basis], Field(min_length=1)] | None = None
    purposes: Annotated[Sequence[Purpose], Field(min_length=1)] | None = None

    def model_post_init(self, _: Any) -> None:
        """A role means something only for what belongs to a subject."""
        if self.subject_roles is not None:
            for place, group in enumerate(self.groups):
                if group not in SUBJECT_GROUPS:
                    raise Wrong(
                        f"{GROUPS.word(group)} belongs to no subject, and the row names subject_roles",
                        "a row of its own for it, without subject_roles",
                        at=("groups", place),
                    )

    def speaks_of(self, asked: "Asked", group: Group, role: SubjectRole | None) -> bool:
        """True where everything that the row states is so; `role` is None for what belongs to no subject."""
        return (
            group in self.groups
            and (self.subject_roles is None or role in self.subject_roles)
            and (self.kinds is None or not asked.kinds.isdisjoint(self.kinds))
            and (self.bases is None or asked.basis in self.bases)
            and (self.purposes is None or asked.purpose in self.purposes)
        )


class Permit(Row):
    """A row that gives."""

    needs_consent: bool = False
    """Only where the person concerned agreed."""


class Forbid(Row):
    """A row that withholds, whatever else permits."""


class Agreement(Strict):
    """What may be shared with one partner, for which purposes, until when."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$", examples=['"police-and-housing"'])]
    version: Annotated[int, Field(ge=1, examples=["1"])]
    partner: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$", examples=['"meadow-homes"'])]
    purposes: Annotated[Sequence[Purpose], Field(min_length=1, examples=['["child_protection"]'])]
    signed_on: Annotated[date, Field(examples=["2026-04-01"])]
    expires_on: Annotated[date, Field(examples=["2028-03-31"])]
    """The last day on which it holds."""
    source: Annotated[str, Field(min_length=1)]
    respond_clock: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")] | None = None
    """The clock for this partner's answers, where one was agreed; else the leg's own."""
    permit: Annotated[Sequence[Permit], Field(min_length=1)]
    forbid: Sequence[Forbid] = ()

    def model_post_init(self, _: Any) -> None:
        """Rows agree with the header and with each other."""
        if self.expires_on < self.signed_on:
            raise Wrong(
                f"it expires on {self.expires_on}, before it was signed",
                "expires_on after signed_on",
                at=("expires_on",),
            )
        seen: set[str] = set()
        for place, row in self._rows():
            if row.id in STANDING:
                raise Wrong(f"{row.id} is what decides where no row does", "another id", at=(*place, "id"))
            if row.id in seen:
                raise Wrong(f"the id {row.id} is used twice", "one id a row", at=(*place, "id"))
            seen.add(row.id)
            for number, purpose in enumerate(row.purposes or ()):
                if purpose not in self.purposes:
                    raise Wrong(
                        f"{purpose} is no purpose of this agreement",
                        "one of " + ", ".join(self.purposes),
                        at=(*place, "purposes", number),
                    )
        for number, permit in enumerate(self.permit):
            self._refuse_dead(number, permit)
            for earlier in self.permit[:number]:
                if permit.needs_consent or not earlier.needs_consent:
                    _refuse_again(("permit", number, "groups"), permit, earlier, "permits")
        for number, forbid in enumerate(self.forbid):
            for before in self.forbid[:number]:
                _refuse_again(("forbid", number, "groups"), forbid, before, "forbids")

    def _rows(self) -> Iterator[tuple[tuple[str, int], Row]]:
        yield from ((("permit", place), row) for place, row in enumerate(self.permit))
        yield from ((("forbid", place), row) for place, row in enumerate(self.forbid))

    def _refuse_dead(self, number: int, permit: Permit) -> None:
        for place, group in enumerate(permit.groups):
            for forbid in self.forbid:
                if group in forbid.groups and _covers(forbid, permit):
                    raise Wrong(
                        f"{permit.id} permits {GROUPS.word(group)}, and {forbid.id} forbids it every time",
                        "one of the two rows taken out, or the forbidding one narrowed",
                        at=("permit", number, "groups", place),
                    )

    def words(self, rule: str) -> str:
        """A rule in words, as a disclosure names it; empty for a rule that is not this agreement's."""
        own = {row.id: row.words for _, row in self._rows()}
        return own.get(rule) or STANDING.get(rule, "")

    @property
    def name(self) -> str:
        """The agreement with its version, as a disclosure names it."""
        return f"{self.id}@{self.version}"


def _refuse_again(at: Where, row: Row, earlier: Row, does: str) -> None:
    """A row that another before it leaves nothing to decide is not read as whoever wrote it meant it."""
    both = [group for group in row.groups if group in earlier.groups]
    if both and _covers(earlier, row):
        wrong = f"{row.id} {does} {GROUPS.word(both[0])}, and wherever it would, {earlier.id} does so before it"
        raise Wrong(wrong, "one row for it, or the narrower of the two first, so that one rule is named", at=at)


def _covers(wider: Row, narrower: Row) -> bool:
    """True where the first speaks of everything of which the second does, but for the groups."""
    pairs: Iterable[tuple[Sequence[Any] | None, Sequence[Any] | None]] = (
        (wider.subject_roles, narrower.subject_roles),
        (wider.kinds, narrower.kinds),
        (wider.bases, narrower.bases),
        (wider.purposes, narrower.purposes),
    )
    return all(wide is None or (narrow is not None and set(narrow) <= set(wide)) for wide, narrow in pairs)


@dataclass(frozen=True, slots=True)
class Asked:
    """For what a partner is asked, on what ground, about what."""

    purpose: str
    kinds: frozenset[Kind]
    basis: Basis
    consent: bool


Decided = tuple[Group, int, str]
"""A field group, the subject's number (0 where it is no subject's) and the rule that decided."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a partner is given and what is withheld, each with its rule, by group and subject.

    It speaks of every group of every subject, also of those that the concern left empty.
    """

    given: tuple[Decided, ...]
    withheld: tuple[Decided, ...]

    def gives(self, group: Group, subject: int = 0) -> bool:
        """True where the group of the subject is given."""
        return any((given, number) == (group, subject) for given, number, _ in self.given)


def disclose(
    agreement: Agreement,
    purpose: str,
    kinds: Iterable[Kind],
    basis: Basis,
    consent: bool,  # a fact about the person, as much a value as the basis
    subjects: Iterable[tuple[int, SubjectRole]],
    on: date,
) -> Disclosure:
    """Decide each group of each subject.

    The rule of what is withheld is the row's id, or one of STANDING: `default` (no row permits it), `expired` (or
    not yet signed), `purpose` (the agreement does not name it), `no_consent` (consent alone would have carried it).
    """
    asked = Asked(purpose, frozenset(kinds), basis, consent)
    in_force = agreement.signed_on <= on <= agreement.expires_on
    unlawful = NO_CONSENT if basis == LAWFUL_BASIS_CONSENT and not consent else ""
    shut = EXPIRED if not in_force else PURPOSE if purpose not in agreement.purposes else unlawful
    if shut:
        return nothing(subjects, shut)
    given: list[Decided] = []
    withheld: list[Decided] = []
    for group, number, role in _all(subjects):
        permitted, rule = _decide(agreement, asked, group, role)
        (given if permitted else withheld).append((group, number, rule))
    return Disclosure(tuple(given), tuple(withheld))


def nothing(subjects: Iterable[tuple[int, SubjectRole]], rule: str) -> Disclosure:
    """Everything is withheld, by one of STANDING."""
    return Disclosure((), tuple((group, number, rule) for group, number, _ in _all(subjects)))


def _all(subjects: Iterable[tuple[int, SubjectRole]]) -> Iterator[tuple[Group, int, SubjectRole | None]]:
    """Every group of every subject, and of the referral, as subject 0."""
    numbered = sorted(subjects)
    for group in ALL_GROUPS:
        if group in SUBJECT_GROUPS:
            yield from ((group, number, role) for number, role in numbered)
        else:
            yield group, 0, None


def _decide(agreement: Agreement, asked: Asked, group: Group, role: SubjectRole | None) -> tuple[bool, str]:
    for forbid in agreement.forbid:
        if forbid.speaks_of(asked, group, role):
            return False, forbid.id
    rule = DEFAULT
    for permit in agreement.permit:
        if permit.speaks_of(asked, group, role):
            if asked.consent or not permit.needs_consent:
                return True, permit.id
            rule = NO_CONSENT
    return False, rule


def load_agreement(path: Path, on: date | None = None) -> Agreement:
    """Read one agreement; raises FileRefused. With `on`, one that has expired by then is refused too."""
    agreement = read(path, Agreement)
    if agreement.partner != path.stem:
        wrong = f"it is an agreement with {agreement.partner}, in a file named {path.name}"
        raise refuse(path, ("partner",), wrong, f'partner = "{path.stem}"')
    if on is not None and agreement.expires_on < on:
        wrong = f"it expired on {agreement.expires_on}"
        raise refuse(path, ("expires_on",), wrong, "a renewed agreement with a later expires_on")
    return agreement


def load_agreements(area: Path, on: date | None = None) -> dict[str, Agreement]:
    """Read every agreement of an area, by partner; raises FileRefused. With `on`, for one that has expired too.

    A service that runs goes on as an agreement ends: what it then gives is nothing, by the rule `expired`.
    """
    found: dict[str, Agreement] = {}
    names: dict[str, Path] = {}
    clocks = load_clocks(area).rules
    for path in sorted((area / "agreements").glob("*.toml")):
        agreement = load_agreement(path, on)
        if agreement.respond_clock is not None and agreement.respond_clock not in clocks:
            wrong = f"no clock {agreement.respond_clock}"
            raise refuse(path, ("respond_clock",), wrong, "one of " + ", ".join(clocks))
        if agreement.id in names:
            wrong = f"{names[agreement.id].name} has the id {agreement.id} too"
            raise refuse(path, ("id",), wrong, "one id an agreement")
        names[agreement.id] = path
        found[path.stem] = agreement
    return found
