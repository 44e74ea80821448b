"""Links between referrals, folded from facts, and what they add to the counts that rules look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from safeguarding.v1 import triage_pb2
from safeguarding.v1.common_pb2 import CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, CONCERN_KIND_DOMESTIC_ABUSE
from safeguarding.v1.intake_pb2 import Raised
from safeguarding.v1.triage_pb2 import (
    LINK_JUDGEMENT_CONFIRMED,
    LINK_JUDGEMENT_REJECTED,
    LINK_JUDGEMENT_UNSPECIFIED,
    SAMENESS_HOUSEHOLD,
    SAMENESS_LOCATION,
    SAMENESS_PERSON,
    Linked,
    TriageFact,
)
from services.chassis.deciding import Refused, Why
from services.frozen import replace


@dataclass(frozen=True)
class Link:
    """One other referral, and what a person made of it."""

    linked: Linked
    judgement: int = LINK_JUDGEMENT_UNSPECIFIED

    @property
    def counts(self) -> bool:
        """A suggestion counts, until a person rejects it."""
        return self.judgement != LINK_JUDGEMENT_REJECTED


Links = Mapping[str, Link]
"""By the other referral's id."""

HOME = "address"
"""In what two referrals are linked whose subjects live at one address; a shared telephone makes a household too."""


class AtPlace(NamedTuple):
    """Another concern at the same place, as far as rules see it: neither which referral it is, nor who is in it."""

    after: timedelta
    """How long after this one it was raised; less than nothing for an earlier one."""
    kinds: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """A sign that counts events, and which linked referrals are such events."""

    sign: str
    kind: Any
    within: timedelta
    same: frozenset[Any]
    of_one: bool = False
    """Only those of the same complainant."""


COUNTED = (
    Counted(
        "abuse_events_in_twelve_months",
        CONCERN_KIND_DOMESTIC_ABUSE,
        timedelta(days=365),
        frozenset({SAMENESS_PERSON, SAMENESS_HOUSEHOLD}),
    ),
    Counted(
        "complaints_in_six_months",
        CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
        timedelta(days=183),
        frozenset({SAMENESS_PERSON, SAMENESS_HOUSEHOLD, SAMENESS_LOCATION}),
        of_one=True,
    ),
)


_OWN = frozenset({SAMENESS_PERSON, SAMENESS_HOUSEHOLD})
"""In what two complaints of one are the same, where the fact does not say whose they are."""


def with_fact(links: Links, fact: Any) -> Links:
    """The links after one of triage's facts."""
    match fact.WhichOneof("fact"):
        case "linked":
            known = links.get(fact.linked.other_referral_id)
            judgement = known.judgement if known else LINK_JUDGEMENT_UNSPECIFIED
            return {**links, fact.linked.other_referral_id: Link(fact.linked, judgement)}
        case "link_confirmed":
            return _judged(links, fact.link_confirmed.other_referral_id, LINK_JUDGEMENT_CONFIRMED)
        case "link_rejected":
            return _judged(links, fact.link_rejected.other_referral_id, LINK_JUDGEMENT_REJECTED)
        case _:
            return links


def new_links(links: Links, suggested: Iterable[Linked]) -> list[TriageFact]:
    """The facts for suggestions that are not known yet; what a person judged is not suggested again."""
    return [TriageFact(linked=linked) for linked in suggested if linked.other_referral_id not in links]


def with_counts(raised: Raised, raised_at: Any, links: Links) -> Raised:
    """What was raised, with each count at least what the links make of it."""
    if not any(counted.kind in raised.kinds for counted in COUNTED):
        return raised
    counts = {counted.sign: _count(counted, raised, raised_at, links) for counted in COUNTED}
    if all(count <= getattr(raised.signs, sign) for sign, count in counts.items()):
        return raised
    now = Raised()
    now.CopyFrom(raised)
    for sign, count in counts.items():
        setattr(now.signs, sign, max(count, getattr(raised.signs, sign)))
    return now


def at_place(raised_at: Any, links: Links) -> tuple[AtPlace, ...]:
    """The other concerns that happened at the same place, or are about somebody who lives at the same address."""
    if raised_at is None or not links:
        return ()
    this = raised_at.ToDatetime()
    return tuple(
        AtPlace(link.linked.other_raised_at.ToDatetime() - this, frozenset(link.linked.other_kinds))
        for link in links.values()
        if link.counts and (SAMENESS_LOCATION in link.linked.same or HOME in link.linked.by.split(", "))
    )


def most_around(after: Sequence[timedelta], within: timedelta) -> int:
    """The most events, this one among them, that lie within some such time in which this one lies too.

    A referral may be heard of after later ones, so the time may begin before it or with it.
    """
    this = timedelta()
    starts = [this, *(at for at in after if -within <= at <= this)]
    return max(1 + sum(start <= at <= start + within for at in after) for start in starts)


def judge(
    links: Links, body: triage_pb2.ConfirmLinkRequest | triage_pb2.RejectLinkRequest, legal: Sequence[str]
) -> TriageFact:
    """A person's judgement of a link; raises Refused, with the moves that are `legal` now, where there is none."""
    other = body.other_referral_id
    known = links.get(other)
    if known is None:
        raise Refused(Why.UNKNOWN, "no such link", "name a link of the referral", field="other_referral_id")
    confirms = isinstance(body, triage_pb2.ConfirmLinkRequest)
    if known.judgement == (LINK_JUDGEMENT_CONFIRMED if confirms else LINK_JUDGEMENT_REJECTED):
        said, opposite = ("confirmed", "RejectLink") if confirms else ("rejected", "ConfirmLink")
        raise Refused(
            Why.ILLEGAL,
            f"the link was {said} already",
            f"{opposite} says the opposite",
            field="other_referral_id",
            legal=legal,
        )
    if confirms:
        return TriageFact(link_confirmed=triage_pb2.LinkConfirmed(other_referral_id=other))
    return TriageFact(link_rejected=triage_pb2.LinkRejected(other_referral_id=other))


def assessed(links: Links) -> list[triage_pb2.AssessedLink]:
    """The links as the desk reads them: the likeliest first, the rejected last."""
    ordered = sorted(links.values(), key=lambda link: (not link.counts, -link.linked.score))
    return [
        triage_pb2.AssessedLink(
            linked=link.linked,
            judgement=link.judgement,  # type: ignore[arg-type]  # an int of the enum
        )
        for link in ordered
    ]


def _judged(links: Links, other: str, judgement: int) -> Links:
    return {**links, other: replace(links[other], judgement=judgement)}


def by_several(raised: Raised, raised_at: Any, links: Links) -> int:
    """How many complaints several people made about the same place, people or household, this one among them; 0 where
    all are of one, or where this is none. What the raiser says of their own earlier complaints counts as well."""
    [complaints] = [counted for counted in COUNTED if counted.of_one]
    found = list(_such(complaints, raised, raised_at, links))
    others = [after for after, own in found if not own]
    if not others:
        return 0
    of_others = most_around(others, complaints.within) - 1
    every = most_around([after for after, _ in found], complaints.within)
    return max(every, raised.signs.complaints_in_six_months + of_others)


def _count(counted: Counted, raised: Raised, raised_at: Any, links: Links) -> int:
    """The most events of the kind, this one among them, that lie within the time; 0 where this is none."""
    if counted.kind not in raised.kinds or raised_at is None:
        return 0
    found = _such(counted, raised, raised_at, links)
    return most_around([after for after, own in found if own or not counted.of_one], counted.within)


def _such(counted: Counted, raised: Raised, raised_at: Any, links: Links) -> Iterator[tuple[timedelta, bool]]:
    """How long after this one each other such event was raised, and whether the same complains in both."""
    if counted.kind not in raised.kinds or raised_at is None:
        return
    this = raised_at.ToDatetime()
    for link in links.values():
        linked = link.linked
        if link.counts and counted.kind in linked.other_kinds and counted.same.intersection(linked.same):
            own = _OWN.intersection(linked.same) if not linked.HasField("same_complainant") else linked.same_complainant
            yield linked.other_raised_at.ToDatetime() - this, bool(own)
