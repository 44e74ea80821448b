"""How a run is shown: progress while it goes on, a summary by ending, and one referral's journey in full."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from safeguarding.v1 import routing_pb2
from services.cli import showing
from services.cli.demo.areas import PLAN, AreaResult
from services.cli.demo.flows import Flow
from services.cli.demo.play import Course, Play
from tests.e2e.checker import Verdict

REFRESH = 5


class Watching:
    """Lines that stay, above counts that move; where nobody watches, the lines alone."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._play: Play | None = None

    def tell(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(line))

    @contextmanager
    def counting(self, play: Play) -> Generator[None]:
        """Show how far the play is, and a line for each referral that comes to its end."""
        stop = threading.Event()
        lines = threading.Thread(target=self._ends, args=(play, stop), daemon=True)
        with Live(_Counts(play), console=self._console, refresh_per_second=REFRESH, transient=True):
            lines.start()
            try:
                yield
            finally:
                stop.set()
                lines.join()

    def _ends(self, play: Play, stop: threading.Event) -> None:
        shown: set[str] = set()
        while True:
            last = stop.wait(1 / REFRESH)
            for course in play.courses():
                if course.ended and course.referral_id not in shown:
                    shown.add(course.referral_id)
                    self.tell(_end_of(course))
            if last:
                return


class _Counts:
    """Rendered anew at each refresh."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._spinner = Spinner("dots")

    def __rich__(self) -> RenderableType:
        courses, copies = self._play.courses(), len(self._play.seen.copies)
        ended = sum(course.ended for course in courses)
        raised = f"{len(courses)} of {len(self._play.raisings)} raised"
        self._spinner.update(text=f"{raised}, {copies} copies read by partners, {ended} closed")
        return self._spinner


def summary(play: Play) -> Table:
    """Referrals by how they ended."""
    ended = [course for course in play.courses() if course.ended]
    how = Counter(course.stated.ending.outcome for course in ended)
    heard = Counter[str]()
    for course in ended:
        heard[course.stated.ending.outcome] += len(course.stated.partners)
    table = Table("how it ended", "referrals", "partners told", title="Closed referrals", title_justify="left")
    for outcome, count in how.most_common():
        table.add_row(outcome.replace("_", " "), str(count), str(heard[outcome]))
    return table


def areas(came: Iterable[AreaResult]) -> Table:
    """What came of each of the plan's six areas."""
    table = Table("area", "concerns", "partners told", "answered", "raisers told", "closed", "its own figures")
    table.title, table.title_justify = "The six areas of the police and crime plan", "left"
    for each in came:
        counts = (each.concerns, each.partners_told, each.answered, each.raisers_told, each.closed)
        own = "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in each.figures.items())
        table.add_row(f"{each.area} {each.name}", *map(str, counts), own, end_section=True)
    return table


def flow(told: Flow) -> Table:
    """One area's referral from raised to closed, in words."""
    table = Table(show_header=False, title=f"{told.area} {PLAN[told.area]}: {told.title}", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column()
    said = ""
    for about, line in told.lines:
        table.add_row(about if about != said else "", line)
        said = about or said
    return table


def journey(course: Course, found: routing_pb2.GetJourneyResponse) -> RenderableType:
    """One referral's whole journey: its legs with clocks and what was withheld, then every fact."""
    legs = Table("partner", "asked for", "leg", "answer by", "got", "withheld")
    for leg in found.legs:
        legs.add_row(
            leg.partner_id + (" (escalated)" if leg.escalated else ""),
            showing.word(leg, "service"),
            showing.word(leg, "state"),
            showing.deadline(leg.respond_by),
            _groups(leg.given),
            _groups(leg.withheld),
        )
    steps = Table("at", "by", "who", "what", "leg")
    partner_of = {leg.leg_id: leg.partner_id for leg in found.legs}
    start = found.steps[0].at.ToNanoseconds() if found.steps else 0
    for step in found.steps:
        seconds = (step.at.ToNanoseconds() - start) / 1e9
        who = f"{showing.word(step.actor, 'role')} {step.actor.id}"
        leg_of = partner_of.get(step.leg_id, "")
        steps.add_row(f"+{seconds:.2f} s", step.writer, who, step.kind.replace("_", " "), leg_of)
    state, grade = showing.word(found, "state"), showing.word(found, "grade").upper()
    head = Text(f"{course.title}: {grade}, {state}\n{course.stated.story}", style="bold")
    read = Text(f"What its raiser reads: {course.words or 'nobody knows whom to tell'}")
    return Group(head, legs, steps, read)


def result(console: Console, verdict: Verdict, troubles: tuple[str, ...]) -> None:
    """Everything that was wrong, each by its name."""
    for line in (*troubles, *map(str, verdict.faults())):
        console.print(Text(line, style="red"))


def _groups(groups: object) -> str:
    found: dict[str, list[int]] = {}
    for each in groups:  # type: ignore[attr-defined]  # a repeated field of Given or of Withheld
        found.setdefault(showing.word(each, "group"), []).append(each.subject)
    return ", ".join(name if numbers == [0] else f"{name} {_numbers(numbers)}" for name, numbers in found.items())


def _numbers(numbers: list[int]) -> str:
    return "+".join(f"#{number}" for number in sorted(numbers) if number)


def _end_of(course: Course) -> str:
    heard = ", ".join(sorted(course.stated.partners)) or "no partner"
    outcome = course.stated.ending.outcome.replace("_", " ")
    return f"{course.title}: closed, {outcome} ({heard})"
