"""What people ask once the play is over, each under their own identity: figures, ledger, journeys, own levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from safeguarding.v1 import audit_pb2, equality_pb2, insight_pb2, routing_pb2
from safeguarding.v1.insight_pb2 import Figure, FigureCell, GetFigureResponse, GetOwnServiceResponse
from safeguarding.v1.routing_pb2 import GetJourneyResponse, Offered
from services.cli.demo.course import CALL_SECONDS
from services.cli.demo.flows import chosen
from services.cli.demo.people import AUDITOR, SUPERVISOR, People
from services.cli.demo.play import Course, Play
from services.quarters import quarter

MOST = 1_000
WANTED = (
    Figure.FIGURE_REACH,
    Figure.FIGURE_DECISIONS,
    Figure.FIGURE_DECLINES,
    Figure.FIGURE_OUTCOMES,
    Figure.FIGURE_REPEATS,
)
VICTIMS = 5
"""The area whose figures come from journeys."""
ETHNIC_GROUP = equality_pb2.EQUALITY_QUESTION_ETHNIC_GROUP


@dataclass(frozen=True)
class Asked:
    """Answers; empty where nobody asked, as after a run that did not come to its end."""

    figures: Mapping[int, GetFigureResponse] = field(default_factory=dict)
    equality: GetFigureResponse = field(default_factory=GetFigureResponse)
    disclosures: Mapping[str, int] = field(default_factory=dict)
    """How many disclosures audit's ledger has of a referral."""
    journeys: Mapping[str, GetJourneyResponse] = field(default_factory=dict)
    """Of the referrals with victims, and of those that are told as a flow."""
    own: Mapping[str, GetOwnServiceResponse] = field(default_factory=dict)
    """What each partner sees of itself."""


def ask(people: People, play: Play, partners: Sequence[str]) -> Asked:
    """Ask everything; audit's answers are awaited, since it reads on its own. Raises Stuck, grpc.RpcError."""
    now = quarter(datetime.now(UTC))
    insight = people.insight(*SUPERVISOR)
    figures: dict[int, GetFigureResponse] = {
        each: insight.GetFigure(insight_pb2.GetFigureRequest(figure=each, quarter=now), timeout=CALL_SECONDS)
        for each in WANTED
    }
    equality = equality_pb2.GetEqualityFigureRequest(question=ETHNIC_GROUP, quarter=now)
    mine = insight_pb2.GetOwnServiceRequest(quarter=now)
    offers = Counter(read.copy.referral_id for read in play.seen.copies if read.copy.HasField("offer"))
    looked_at = [*chosen(play.courses()), *(course for course in play.courses() if course.stated.area == VICTIMS)]
    return Asked(
        figures=figures,
        equality=people.equality(*SUPERVISOR).GetEqualityFigure(equality, timeout=CALL_SECONDS).figure,
        disclosures={
            course.referral_id: play.until(
                "audit's ledger to hold every disclosure",
                lambda course=course: _disclosures(people, course, offers[course.referral_id]),  # type: ignore[misc]
            )
            for course in play.courses()
            if course.stated.area == 2
        },
        journeys={course.referral_id: _journey(people, course) for course in looked_at},
        own={
            partner: people.insight("partner", partner).GetOwnService(mine, timeout=CALL_SECONDS)
            for partner in partners
        },
    )


def _disclosures(people: People, course: Course, at_least: int) -> int | None:
    """The offers of a referral in audit's ledger; None while it has not read them all."""
    request = audit_pb2.SearchRequest(
        referral_id=course.referral_id,
        sight=audit_pb2.SIGHT_DISCLOSURE,
        type=Offered.DESCRIPTOR.full_name,
        limit=MOST,
        reason="review",
    )
    found = people.audit(*AUDITOR).Search(request, timeout=CALL_SECONDS)
    legs = {entry.leg_id for entry in found.entries if entry.basis and entry.agreement}
    return len(legs) if len(legs) >= at_least else None


def _journey(people: People, course: Course) -> GetJourneyResponse:
    request = routing_pb2.GetJourneyRequest(referral_id=course.referral_id)
    found: GetJourneyResponse = people.routing(*SUPERVISOR).GetJourney(request, timeout=CALL_SECONDS)
    return found


def said(cell: FigureCell) -> int | str:
    """A count, or what is said of one that is masked."""
    return "masked" if cell.masked else cell.count


def column(figure: GetFigureResponse | None, name: str) -> int | str:
    """The sum of a figure's column."""
    if figure is None or name not in figure.columns:
        return 0
    return said(figure.column_totals[list(figure.columns).index(name)])
