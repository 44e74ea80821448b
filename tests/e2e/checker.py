"""Compares what raisers were told and partners' own consumers read with what the scenario demands; nothing else.

It knows no topic of ours, no store and no service: only the scenario, what raisers were told under their own
identity, and what each partner read and decrypted for itself. Pure functions over what was observed, so the demo and
the fault tests are counted by the same rules, and the rules have tests of their own.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from safeguarding.v1.intake_pb2 import REFERRAL_STATE_CLOSED
from safeguarding.v1.partner_pb2 import Copy, Offer
from services.cli.scenario import Answer, Ask, Confer, ExpectedPartner, Raising, ScenarioConcern, paths_in


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Intake's OK to one raising, as its raiser got it."""

    idempotency_key: str
    referral_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class CopyRead:
    """A copy that a partner read and opened; one of these for every time that it came."""

    partner_id: str
    record: bytes
    """The bytes as they came, before they were opened."""
    copy: Copy


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of a partner's topic that the partner could not open."""

    partner_id: str
    where: str


@dataclass(frozen=True, slots=True)
class OutcomeRead:
    """What a raiser was told when it asked for the outcome under its own identity."""

    referral_id: str
    state: int
    words: str


@dataclass(frozen=True, slots=True)
class RecordedUntold:
    """The recorded reason why nobody could be told, on a referral that was seen closed."""

    referral_id: str
    reason: str


@dataclass
class Observations:
    """Everything that was observed, each list in the order it happened."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    copies: list[CopyRead] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    outcomes: list[OutcomeRead] = field(default_factory=list)
    untold: list[RecordedUntold] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that should not be; `kind` says which, `about` names the referral or the key, `what` says more."""

    kind: str
    about: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}: {self.what}"


Pair = tuple[str, str]
"""A referral's id and a partner's."""


@dataclass(frozen=True)
class Verdict:
    """What was counted. A byte-identical repeat is no fault where a fault was injected: `allow_repeats`."""

    raised: int
    demanded: frozenset[Pair]
    received: frozenset[Pair]
    closed: frozenset[str]
    repeated: int
    found: tuple[Fault, ...]

    @cached_property
    def lost(self) -> int:
        """Acknowledged and not closed, plus demanded and not received."""
        return self.count("lost")

    @cached_property
    def duplicated(self) -> int:
        """One (leg, step) with two event ids or two contents, or one raising that became two referrals."""
        return self.count("duplicated")

    def count(self, kind: str) -> int:
        """How many faults of this kind there are."""
        return sum(fault.kind == kind for fault in self.found)

    def faults(self, *, allow_repeats: bool = False) -> tuple[Fault, ...]:
        """Every fault; none means that the run was right."""
        if allow_repeats or not self.repeated:
            return self.found
        return (*self.found, Fault("repeated", "copies", f"{self.repeated} came again, byte for byte"))

    def line(self, name: str) -> str:
        """The one line that sums the run up."""
        return (
            f"{name}: {self.raised} raised, {len(self.demanded)} demanded, {len(self.received)} received, "
            f"{len(self.closed)} closed, {self.lost} lost, {self.duplicated} duplicated, {self.repeated} repeated"
        )


def check(raisings: Sequence[Raising], seen: Observations) -> Verdict:
    """Count everything that was observed against everything that the scenario demands."""
    stated_by_key = {raising.idempotency_key: raising.stated for raising in raisings}
    stated = {
        told.referral_id: stated_by_key[told.idempotency_key]
        for told in seen.acknowledged
        if told.idempotency_key in stated_by_key
    }
    demanded = frozenset((referral_id, partner) for referral_id, each in stated.items() for partner in each.partners)
    offered = frozenset((read.copy.referral_id, read.partner_id) for read in seen.copies if read.copy.HasField("offer"))
    closed = _closed(stated, seen)
    found = [
        *_raisings(stated_by_key, seen.acknowledged),
        *_lost(stated, demanded - offered, closed),
        *_unexpected(stated, seen),
        *_duplicated(seen.copies),
        *_out_of_order(seen),
        *_contents(stated, seen.copies),
        *_endings(stated, seen.outcomes),
    ]
    return Verdict(
        raised=len({told.idempotency_key for told in seen.acknowledged}),
        demanded=demanded,
        received=demanded & offered,
        closed=closed,
        repeated=_repeated(seen.copies),
        found=tuple(sorted(set(found))),
    )


def _closed(stated: Mapping[str, ScenarioConcern], seen: Observations) -> frozenset[str]:
    """Told closed and the outcome under their own identity; of an anonymous raiser, a reason was recorded."""
    told = {read.referral_id for read in seen.outcomes if read.state == REFERRAL_STATE_CLOSED and read.words}
    recorded = {each.referral_id for each in seen.untold if each.reason}
    return frozenset(
        referral_id
        for referral_id, concern in stated.items()
        if referral_id in (recorded if concern.concern.anonymous else told)
    )


def _raisings(stated: Mapping[str, ScenarioConcern], acknowledged: Sequence[Acknowledged]) -> Iterator[Fault]:
    answers = defaultdict(set)
    for told in acknowledged:
        answers[told.idempotency_key].add((told.referral_id, told.event_id))
    yield from (Fault("unacknowledged", key, "intake never said OK") for key in stated.keys() - answers.keys())
    yield from (Fault("unexpected", key, "nobody raised this") for key in answers.keys() - stated.keys())
    for key, different in answers.items():
        if len(different) > 1:
            yield Fault("duplicated", key, f"one key, {len(different)} answers")
    keys = defaultdict(set)
    for told in acknowledged:
        keys[told.referral_id].add(told.idempotency_key)
    for referral_id, several in keys.items():
        if len(several) > 1:
            yield Fault("duplicated", referral_id, f"the answer to {len(several)} raisings")


def _lost(stated: Mapping[str, ScenarioConcern], missing: Iterable[Pair], closed: frozenset[str]) -> Iterator[Fault]:
    for referral_id, partner_id in missing:
        yield Fault("lost", referral_id, f"{partner_id} never received {stated[referral_id].name}")
    for referral_id in stated.keys() - closed:
        yield Fault("lost", referral_id, f"{stated[referral_id].name} was acknowledged and is not closed")


def _unexpected(stated: Mapping[str, ScenarioConcern], seen: Observations) -> Iterator[Fault]:
    legs = defaultdict(set)
    for read in seen.copies:
        copy, concern = read.copy, stated.get(read.copy.referral_id)
        legs[copy.referral_id, read.partner_id].add(copy.leg_id)
        kind = copy.WhichOneof("content") or "nothing"
        if copy.partner_id != read.partner_id:
            yield Fault("unexpected", copy.referral_id, f"{read.partner_id} opened a copy meant for another")
        if concern is None or read.partner_id not in concern.partners:
            what = f"{read.partner_id} got {kind} of a referral on which nobody demanded it"
            yield Fault("unexpected", copy.referral_id, what)
        elif kind not in _kinds(concern, concern.partners[read.partner_id]):
            wrong = f" ({copy.refusal.wrong})" if copy.HasField("refusal") else ""
            yield Fault("unexpected", copy.referral_id, f"{read.partner_id} got {kind}{wrong}")
    for (referral_id, partner_id), different in legs.items():
        if len(different) > 1:
            yield Fault("unexpected", referral_id, f"{partner_id} got {len(different)} legs")
    for broken in seen.unreadable:
        yield Fault("unreadable", broken.where, f"{broken.partner_id} could not open it")


def _kinds(concern: ScenarioConcern, partner: ExpectedPartner) -> set[str]:
    """What may come to this partner on this referral, by the name of the copy's content."""
    recalled = {action.partner for action in concern.desk if action.do == "recall"}
    met = {action.partner for action in concern.desk if isinstance(action, Confer)}
    may = {
        "recall": partner.id in recalled,
        "expiry": partner.is_silent,
        "answer": bool(partner.question),
        "conference": partner.id in met,
    }
    return {"offer", "reminder", *(kind for kind, is_so in may.items() if is_so)}


def _duplicated(copies: Iterable[CopyRead]) -> Iterator[Fault]:
    """One (leg, step) has one event id, and one event id has one content."""
    event_ids, contents, referrals = defaultdict(set), defaultdict(set), {}
    for read in copies:
        copy = read.copy
        # A leg may have several refused replies: each is a step of its own.
        reply_id = f" {copy.refusal.reply_id}" if copy.HasField("refusal") else ""
        reminded = f" {copy.reminder.deadline.clock} {copy.reminder.percent}" if copy.HasField("reminder") else ""
        met = copy.conference.conference
        held = f" {met.conference_id} {met.held_at.seconds}" if copy.HasField("conference") else ""
        step = f"{copy.WhichOneof('content')}{reply_id}{reminded}{held}"
        event_ids[read.partner_id, copy.leg_id, step].add(copy.event_id)
        contents[read.partner_id, copy.event_id].add(read.record)
        referrals[copy.event_id] = referrals[copy.leg_id] = copy.referral_id
    for (partner_id, leg_id, step), different in event_ids.items():
        if len(different) > 1:
            what = f"{partner_id} got {step} of one leg under {len(different)} event ids"
            yield Fault("duplicated", referrals[leg_id], what)
    for (partner_id, event_id), records in contents.items():
        if len(records) > 1:
            what = f"{partner_id} got event {event_id} with {len(records)} contents"
            yield Fault("duplicated", referrals[event_id], what)


def _repeated(copies: Iterable[CopyRead]) -> int:
    times = Counter((read.partner_id, read.copy.event_id, read.record) for read in copies)
    return sum(count - 1 for count in times.values())


def _out_of_order(seen: Observations) -> Iterator[Fault]:
    """A partner never reads a later event before an earlier one; a raiser never sees an end taken back."""
    latest: dict[Pair, tuple[int, int]] = {}
    known, offered = set(), set()
    for read in seen.copies:
        copy = read.copy
        if (read.partner_id, copy.event_id) in known:
            continue
        known.add((read.partner_id, copy.event_id))
        pair, at = (copy.referral_id, read.partner_id), (copy.occurred_at.seconds, copy.occurred_at.nanos)
        if at < latest.get(pair, (0, 0)):
            yield Fault("out of order", copy.referral_id, f"{read.partner_id} read an earlier event after a later one")
        latest[pair] = max(at, latest.get(pair, at))
        if copy.HasField("offer"):
            offered.add(copy.leg_id)
        elif copy.leg_id not in offered and not copy.HasField("refusal"):
            what = f"{read.partner_id} got {copy.WhichOneof('content')} before the offer"
            yield Fault("out of order", copy.referral_id, what)
    ended = set()
    for told in seen.outcomes:
        if told.referral_id in ended and told.state != REFERRAL_STATE_CLOSED:
            yield Fault("out of order", told.referral_id, "its raiser was told closed, then something else")
        ended |= {told.referral_id} if told.state == REFERRAL_STATE_CLOSED else set()


def _contents(stated: Mapping[str, ScenarioConcern], copies: Iterable[CopyRead]) -> Iterator[Fault]:
    """Each offer holds what the scenario gives its partner, nothing beyond it, and the words of this concern."""
    for read in copies:
        concern = stated.get(read.copy.referral_id)
        partner = concern.partners.get(read.partner_id) if concern else None
        if concern is None or partner is None:
            continue
        if read.copy.HasField("answer") and not _answers(read.copy, concern):
            yield Fault("altered", read.copy.referral_id, f"{partner.id} got another answer than the raiser's")
        if not read.copy.HasField("offer"):
            continue
        offer, about = read.copy.offer, read.copy.referral_id
        held = paths_in(offer)
        for path in held - partner.must_get:
            yield Fault("disclosed", about, f"{partner.id} got {path}, which it must not get")
        for path in partner.must_get - held:
            yield Fault("withheld", about, f"{partner.id} did not get {path}, which it must get")
        for path in held & partner.must_get:
            if _held(offer, path) != _stated(concern, path):
                yield Fault("altered", about, f"{partner.id} got another {path} than was raised")


def _answers(copy: Copy, concern: ScenarioConcern) -> bool:
    """Whether it ends with the raiser's answer to a partner."""
    answers = [action.answer for action in concern.desk if isinstance(action, Answer)]
    return bool(answers) and [each.text for each in copy.answer.narratives][-1:] == answers[-1:]


def _held(offer: Offer, path: str) -> Any:
    if path == "narratives":
        return [narrative.text for narrative in offer.narratives]
    if not path.startswith("subjects["):
        return getattr(offer, path)
    number, _, part = path.removeprefix("subjects[").partition("].")
    [subject] = [subject for subject in offer.subjects if subject.number == int(number)]
    return getattr(subject, part)


def _stated(concern: ScenarioConcern, path: str) -> Any:
    if path == "narratives":
        answers = [action.answer for action in concern.desk if isinstance(action, Ask)]
        return [concern.concern.narrative.text, *answers]
    if path in ("signs", "grade"):
        return concern.signs if path == "signs" else concern.ending.grade
    if not path.startswith("subjects["):
        return getattr(concern.concern, path)
    number, _, part = path.removeprefix("subjects[").partition("].")
    return getattr(concern.concern.subjects[int(number) - 1], part)


def _endings(stated: Mapping[str, ScenarioConcern], outcomes: Iterable[OutcomeRead]) -> Iterator[Fault]:
    """Whoever was told the outcome was told the one that the scenario states."""
    for told in outcomes:
        concern = stated.get(told.referral_id)
        if concern is None:
            yield Fault("unexpected", told.referral_id, "an outcome of a referral that nobody raised")
        elif told.words:
            for phrase in concern.ending.reads:
                if phrase not in told.words:
                    yield Fault("ending", told.referral_id, f"the raiser of {concern.name} did not read {phrase!r}")
