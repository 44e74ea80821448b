"""What clients were told and what partners' own consumers read; from the two alone comes the verdict."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from safeguarding.v1.intake_pb2 import RaiseConcernResponse
from safeguarding.v1.partner_pb2 import Copy
from services.cli.scenario import ScenarioConcern
from tests.chaos.judging import Asking, Verdict, asking, asking_by_wrong_clocks
from tests.chaos.questions import Asked, Questions

MOST_SAID = 20
"""Troubles named one by one; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A concern that one client raises under one key, however often it has to repeat itself."""

    key: str
    stated: ScenarioConcern


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a client was told of its concern."""

    submission: Submission
    answer: bytes
    at: float
    """Monotonic."""


@dataclass
class Ledger:
    """Written by every player, thread-safe; read by whoever waits."""

    on_answered: Callable[[str, Submission], None] = lambda referral_id, submission: None
    """Called once for each referral: acknowledged, and all its partners have answered."""
    on_asked: Callable[[str, Submission], None] = lambda referral_id, submission: None
    """Called when a referral is acknowledged and a partner has asked its raiser, perhaps more than once."""
    clocks_are_right: bool = True
    """Whether copies of one referral must come in the order of their times; else only an answer after its offer, and
    deadlines may run out a day early: partners are reminded, what they have not answered is over, and whoever leads is
    asked in their place. Where that one is silent too it comes back to the desk, which decides nothing here."""
    _keys: dict[str, Acknowledged] = field(default_factory=dict)
    _referrals: dict[str, Acknowledged] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _still_open: dict[str, Acknowledged] = field(default_factory=dict)
    """Acknowledged and not told closed: kept apart, so that what is looked for often costs the same at any size."""
    _contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """The digest of each copy, since there may be hundreds of thousands."""
    _offers: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _ran_out: dict[str, set[str]] = field(default_factory=dict)
    """By referral, the partners that were told that their answer came too late."""
    _questions: Questions = field(default_factory=Questions)
    _reached: dict[str, dict[str, float]] = field(default_factory=dict)
    _answered: dict[str, set[str]] = field(default_factory=dict)
    _newest: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)
    _said: list[str] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    # -- what players write ----------------------------------------------------------------------------------------

    def acknowledged(self, submission: Submission, answer: RaiseConcernResponse) -> None:
        """A client was answered OK. Every further answer to the same key must be the same."""
        raw = answer.SerializeToString(deterministic=True)
        with self._changed:
            known = self._keys.get(submission.key)
            if known is not None:
                if known.answer != raw:
                    self._wrong("duplicated", f"key {submission.key} has two answers")
                return
            told = self._keys[submission.key] = Acknowledged(submission, raw, time.monotonic())
            if answer.referral_id in self._referrals:
                self._wrong("duplicated", f"referral {answer.referral_id} answers two keys")
            self._referrals[answer.referral_id] = told
            if answer.referral_id not in self._closed:
                self._still_open[answer.referral_id] = told
            self._changed.notify_all()
        self._look_answered(answer.referral_id)
        self._look_asked(answer.referral_id)

    def read(self, partner: str, event_id: str, value: bytes, copy: Copy) -> bool:
        """A partner's own consumer read and opened a copy. False where it had it already."""
        referral_id, digest = copy.referral_id, hashlib.sha256(value).digest()
        with self._changed:
            known = self._contents.get((partner, event_id))
            if known is not None:
                if known == digest:
                    self._counts["repeated"] += 1
                else:
                    self._wrong("duplicated", f"event {event_id} reached {partner} with two contents")
                return False
            self._contents[partner, event_id] = digest
            at = copy.occurred_at.ToDatetime(UTC)
            if self.clocks_are_right and at < self._newest.get((partner, referral_id), at):
                self._wrong("out_of_order", f"event {event_id} of referral {referral_id} reached {partner} too late")
            self._newest[partner, referral_id] = at
            if copy.WhichOneof("content") == "refusal" and (referral_id, partner) not in self._offers:
                # On a record of its own, since the reply named no leg of the partner's: whoever wrote it counts it.
                self._refused[partner] += 1
                return True
            if copy.WhichOneof("content") == "answer":
                self._read_answer(Asked(partner, copy.leg_id), referral_id)
                return True
            if copy.WhichOneof("content") != "offer":
                self._read_notice(partner, referral_id, copy.WhichOneof("content") or "notice")
                return True
            legs = self._offers.setdefault((referral_id, partner), {})
            legs[copy.leg_id] = event_id
            if len(legs) > 1 and self.clocks_are_right:
                self._wrong("duplicated", f"referral {referral_id} was offered to {partner} on {len(legs)} legs")
            self._reached.setdefault(referral_id, {})[partner] = time.monotonic()
            self._changed.notify_all()
        return True

    def answered(self, partner: str, referral_id: str) -> None:
        """The partner's last answer on the referral was taken by the broker, or by the inbox."""
        with self._changed:
            self._answered.setdefault(referral_id, set()).add(partner)
        self._look_answered(referral_id)

    def asked(self, partner: str, referral_id: str, leg_id: str) -> None:
        """The partner is about to ask the raiser: a copy with the answer must reach it, after its offer."""
        with self._changed:
            self._questions.ask(Asked(partner, leg_id), referral_id)
        self._look_asked(referral_id)

    def _read_notice(self, partner: str, referral_id: str, kind: str) -> None:
        """What no partner is to get, but where a clock is a day ahead."""
        if not self.clocks_are_right:
            if kind == "expiry":
                self._ran_out.setdefault(referral_id, set()).add(partner)
            if kind in ("expiry", "reminder") or (kind == "refusal" and partner in self._ran_out.get(referral_id, ())):
                return
        self._said.append(f"{partner} got a {kind} on referral {referral_id}")

    def _read_answer(self, asked: Asked, referral_id: str) -> None:
        """A second copy on one referral: where the order of a partner's copies can be seen."""
        partner = asked.partner
        if (referral_id, partner) not in self._offers:
            self._wrong("out_of_order", f"the answer on referral {referral_id} reached {partner} before its offer")
        if self._questions.is_answered(asked, referral_id):
            self._wrong("duplicated", f"{partner} got two answers on referral {referral_id} to one question")
        elif not self._questions.answer(asked, referral_id):
            self._said.append(f"{partner} got an answer on referral {referral_id} and had not asked")

    def too_late(self, partner: str, referral_id: str) -> None:
        """The inbox took no answer any more, since the leg was over."""
        with self._changed:
            if self.clocks_are_right:
                self._said.append(f"the inbox of {partner} took no answer any more on referral {referral_id}")
                return
            self._ran_out.setdefault(referral_id, set()).add(partner)

    def closed(self, referral_id: str) -> None:
        """The raiser was told, under their own identity, that the referral is closed."""
        with self._changed:
            self._closed.add(referral_id)
            self._still_open.pop(referral_id, None)
            self._changed.notify_all()

    def trouble(self, what: str) -> None:
        """Something that must not happen; ids and codes only."""
        with self._changed:
            self._said.append(what)

    def _wrong(self, count: str, what: str) -> None:
        self._counts[count] += 1
        self._said.append(what)

    def _look_answered(self, referral_id: str) -> None:
        with self._changed:
            told = self._referrals.get(referral_id)
            if told is None or not self._answered.get(referral_id, set()) >= set(told.submission.stated.partners):
                return
        self.on_answered(referral_id, told.submission)

    def _look_asked(self, referral_id: str) -> None:
        with self._changed:
            told = self._referrals.get(referral_id)
        if told is not None and self.is_asked(referral_id):
            self.on_asked(referral_id, told.submission)

    # -- what others ask -------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Referrals acknowledged so far."""
        return len(self._referrals)

    @property
    def ids(self) -> frozenset[str]:
        """Every referral that a client was told of."""
        with self._changed:
            return frozenset(self._referrals)

    @property
    def oldest(self) -> tuple[str, Submission] | None:
        """The referral that a client was told of first, which every service knows by now; None before there is one."""
        with self._changed:
            return next(((referral_id, told.submission) for referral_id, told in self._referrals.items()), None)

    def is_asked(self, referral_id: str) -> bool:
        """True while a partner waits for the raiser's answer."""
        with self._changed:
            return self._questions.waits(referral_id)

    @property
    def answers(self) -> int:
        """How many questions of partners were answered: so many had more than one copy on a referral."""
        with self._changed:
            return self._questions.answers

    def is_closed(self, referral_id: str) -> bool:
        """True once its raiser was told so."""
        return referral_id in self._closed

    def open(self, older: float) -> list[tuple[str, Submission]]:
        """Referrals acknowledged more than `older` seconds ago, whose raisers were not told that they are closed."""
        before = time.monotonic() - older
        with self._changed:
            return [
                (referral_id, told.submission) for referral_id, told in self._still_open.items() if told.at < before
            ]

    @property
    def troubles(self) -> tuple[str, ...]:
        """What players met that must not happen, the first of it."""
        with self._changed:
            return tuple(self._said[:MOST_SAID])

    @property
    def refused(self) -> Counter[str]:
        """How many notes each partner read that a reply of its was refused."""
        with self._changed:
            return Counter(self._refused)

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until so many are acknowledged; False when they are not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._referrals) >= count, seconds)

    def wait_reached(self, key: str, seconds: float) -> float | None:
        """When (monotonic) the last of its partners had read the concern of `key`; None when not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._reached_all(key), seconds):
                return None
            return max(self._reached[self._id_of(key)].values())

    @property
    def closed_count(self) -> int:
        """How many referrals are told closed."""
        with self._changed:
            return len(self._closed)

    def wait_closed(self, seconds: float) -> bool:
        """Wait until every acknowledged referral is told closed; False when they are not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._still_open, seconds)

    def _id_of(self, key: str) -> str:
        return RaiseConcernResponse.FromString(self._keys[key].answer).referral_id

    def _reached_all(self, key: str) -> bool:
        if key not in self._keys:
            return False
        return set(self._reached.get(self._id_of(key), ())) >= set(self._keys[key].submission.stated.partners)

    @property
    def ran_out(self) -> frozenset[str]:
        """Referrals that are not told closed, of which a partner was told that its answer came too late."""
        with self._changed:
            return frozenset(self._ran_out) & frozenset(self._still_open)

    def _asking(self, referral_id: str, told: Acknowledged) -> Asking:
        demanded = told.submission.stated.partners
        legs = {partner: len(self._offers[referral_id, partner]) for partner in self._reached.get(referral_id, ())}
        if self.clocks_are_right:
            return asking(demanded, legs)
        return asking_by_wrong_clocks(demanded, legs, self._ran_out.get(referral_id, ()))

    def verdict(self, with_desk: Collection[str] = ()) -> Verdict:
        """Compare the two sides, as they are now. `with_desk` are referrals that came back to the desk."""
        with self._changed:
            said = list(self._said)
            lost = duplicated = in_place = 0
            for referral_id, told in self._referrals.items():
                if referral_id not in self._closed and referral_id not in with_desk:
                    lost += 1
                    said.append(f"referral {referral_id} ({told.submission.stated.name}) was never told closed")
                asked = self._asking(referral_id, told)
                in_place += asked.in_place
                for partner in asked.missing:
                    lost += 1
                    said.append(f"referral {referral_id} never reached {partner}")
                for partner in asked.undemanded:
                    duplicated += 1
                    said.append(f"referral {referral_id} reached {partner}, which nobody demanded")
            for referral_id, partner in self._questions.unanswered:
                lost += 1
                said.append(f"{partner} asked on referral {referral_id}, and no answer reached it")
            for referral_id in sorted(set(self._reached) - set(self._referrals)):
                duplicated += 1
                said.append(f"referral {referral_id} reached partners, and no client was told of it")
            more = [f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
            return Verdict(
                acknowledged=len(self._referrals),
                lost=lost,
                duplicated=duplicated + self._counts["duplicated"],
                repeated=self._counts["repeated"],
                out_of_order=self._counts["out_of_order"],
                said=tuple(said[:MOST_SAID] + more),
                in_place=in_place,
            )
