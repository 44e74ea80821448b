"""What those who play have seen so far, and how far each referral has come; thread-safe, and waits have an end."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from services.cli.scenario import Raising, ScenarioConcern
from tests.e2e.checker import Acknowledged, CopyRead, Observations, OutcomeRead, RecordedUntold, Unreadable

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two looks at what only a service can tell."""


class Stuck(Exception):
    """A referral did not come on in time; says what was waited for."""


@dataclass
class Course:
    """One referral of the play: who answered on it, and what its raiser was told."""

    raising: Raising
    referral_id: str
    reference: str
    sequence: int
    answered: set[str] = field(default_factory=set)
    """Partners whose answers were all taken by the broker or the inbox."""
    words: str = ""
    ended: bool = False

    @property
    def stated(self) -> ScenarioConcern:
        """What the scenario says of it."""
        return self.raising.stated

    @property
    def title(self) -> str:
        """Its reference and what it is about, without anything personal."""
        return f"{self.reference} {self.stated.name.replace('-', ' ')}"


class Play:
    """The record of one run. `tell` is given a line for each thing that a safeguarding lead would want to know."""

    def __init__(self, raisings: Sequence[Raising], patience: float, tell: Callable[[str], None]) -> None:
        self.raisings = raisings
        self.seen = Observations()
        self.tell = tell
        self._deadline = time.monotonic() + patience
        self._courses: dict[str, Course] = {}
        self._changed = threading.Condition()

    def acknowledged(self, course: Course, event_id: str) -> None:
        """A raiser got intake's OK."""
        key = course.raising.idempotency_key
        with self._changed:
            self.seen.acknowledged.append(Acknowledged(key, course.referral_id, event_id))
            self._courses[course.referral_id] = course
            self._changed.notify_all()

    def read(self, what: CopyRead) -> None:
        """A partner read and opened a copy."""
        with self._changed:
            self.seen.copies.append(what)
            self._changed.notify_all()

    def unreadable(self, what: Unreadable) -> None:
        """A partner could not open a record."""
        with self._changed:
            self.seen.unreadable.append(what)

    def answered(self, referral_id: str, partner_id: str) -> None:
        """A partner gave its answers on a referral."""
        with self._changed:
            self._courses[referral_id].answered.add(partner_id)
            self._changed.notify_all()

    def told(self, course: Course, read: OutcomeRead) -> None:
        """A raiser asked for the outcome and was told this."""
        with self._changed:
            self.seen.outcomes.append(read)
            course.words = read.words

    def recorded(self, untold: RecordedUntold) -> None:
        """The desk saw a referral closed whose raiser nobody could tell."""
        with self._changed:
            self.seen.untold.append(untold)

    def ended(self, course: Course) -> None:
        """Nothing more is to come on this referral."""
        with self._changed:
            course.ended = True
            self._changed.notify_all()

    def course(self, referral_id: str) -> Course | None:
        """The referral, once its raiser was told its id; a partner may be quicker."""
        with self._changed:
            return self._courses.get(referral_id)

    def courses(self) -> list[Course]:
        """Every referral that was acknowledged."""
        with self._changed:
            return list(self._courses.values())

    def wait_for_answers(self, course: Course, partners: set[str]) -> None:
        """Return when these partners have answered; raises Stuck."""
        with self._changed:
            come = self._changed.wait_for(lambda: partners <= course.answered, self.seconds_left())
            missing = sorted(partners - course.answered)
        if not come:
            raise Stuck(f"no answer yet from {', '.join(missing)}")

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """Look again and again until there is something; raises Stuck, naming what was waited for."""
        pause = FIRST_PAUSE
        while True:
            found = look()
            if found is not None:
                return found
            if not self.seconds_left():
                raise Stuck(f"waited for {what}")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def seconds_left(self) -> float:
        """Until patience ends."""
        return max(0.0, self._deadline - time.monotonic())
