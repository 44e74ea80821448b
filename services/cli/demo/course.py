"""One referral from its raiser's side and the desk's, step by step: what each does, and what each waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from safeguarding.v1 import equality_pb2, intake_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.concern_pb2 import Narrative, Signs
from safeguarding.v1.intake_pb2 import REFERRAL_STATE_CLOSED
from safeguarding.v1.partner_pb2 import AUDIENCE_VICTIM, ToldReply
from services.chassis.identity import ROLE_NAMES
from services.cli.demo import meeting
from services.cli.demo.people import DESK, SUPERVISOR, People
from services.cli.demo.play import Course, Play
from services.cli.scenario import Raising
from services.cli.scenario_file import (
    Accompany,
    Answer,
    Ask,
    Confer,
    DeskAction,
    Override,
    Recall,
    Route,
    TakeNoFurtherAction,
)
from tests.e2e.checker import OutcomeRead, RecordedUntold

CALL_SECONDS = 10.0
MOST = 500
UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""It may have happened: the same request is sent again, with its key."""
LEG_OPEN = (
    routing_pb2.LEG_STATE_OFFERED,
    routing_pb2.LEG_STATE_RECEIVED,
    routing_pb2.LEG_STATE_ACCEPTED,
    routing_pb2.LEG_STATE_IN_PROGRESS,
    routing_pb2.LEG_STATE_ON_HOLD,
)
LEG_TAKEN_ON = LEG_OPEN[2:]

Rpc = Callable[..., Any]


class Follower:
    """Plays the raiser and the desk of one referral after another; thread-safe, one thread for each referral."""

    def __init__(self, people: People, play: Play) -> None:
        self._people = people
        self._play = play

    def follow(self, raising: Raising) -> Course:
        """From raised to closed. Raises Stuck where it does not come on, grpc.RpcError where it is refused."""
        course = self._raise(raising)
        self._answer_equality(course)
        self.go_on(course)
        return course

    def go_on(self, course: Course) -> None:
        """From acknowledged to closed."""
        for action in course.stated.desk:
            self._act(course, action)
        answering = {partner.id for partner in course.stated.partners.values() if not partner.is_silent}
        self._play.wait_for_answers(course, answering)
        victim = course.stated.ending.victim
        if victim is not None and victim.told_by == "desk":
            self._tell_victim(course, ToldReply(audience=AUDIENCE_VICTIM, not_told=victim.not_told))
        for action in course.stated.desk:
            if isinstance(action, Accompany):
                self._ask_how_it_was(course, action)
        if course.stated.concern.anonymous:
            self._see_closed(course)
        else:
            self._play.until("the raiser to read that it is closed", lambda: self._read_outcome(course))
        self._play.ended(course)

    def journey(self, referral_id: str) -> routing_pb2.GetJourneyResponse:
        """The whole journey, as the desk's supervisor sees it; empty until routing has heard of the referral."""
        request = routing_pb2.GetJourneyRequest(referral_id=referral_id)
        found = self._look(self._people.routing(*SUPERVISOR).GetJourney, request)
        return found or routing_pb2.GetJourneyResponse()

    def _raise(self, raising: Raising) -> Course:
        who = _who(raising)
        request = intake_pb2.RaiseConcernRequest(
            idempotency_key=raising.idempotency_key, concern=raising.stated.concern
        )
        answer: intake_pb2.RaiseConcernResponse = self._call(self._people.intake(*who).RaiseConcern, request)
        course = Course(raising, answer.referral_id, answer.reference, answer.sequence)
        self._play.acknowledged(course, answer.event_id)
        return course

    def _answer_equality(self, course: Course) -> None:
        """What the raiser says of themselves goes beside the case."""
        if course.stated.equality.ByteSize():
            request = equality_pb2.AnswerEqualityRequest(referral_id=course.referral_id, answers=course.stated.equality)
            self._call(self._people.equality(*_who(course.raising)).AnswerEquality, request)

    def _act(self, course: Course, action: DeskAction) -> None:
        match action:
            case Ask():
                self._ask(course, action)
            case Override():
                request = triage_pb2.OverrideGradeRequest(grade=action.grade, reason=action.reason)
                self._decide(course, "override", "OverrideGrade", request)
            case Route():
                legs = [
                    triage_pb2.DeskLeg(
                        service=leg.service,
                        purpose=leg.purpose,
                        basis=leg.basis,
                        necessity=leg.necessity,
                        without_consent=leg.without_consent,
                    )
                    for leg in action.leg
                ]
                self._decide(course, "route", "Route", triage_pb2.RouteRequest(legs=legs))
            case TakeNoFurtherAction():
                nothing = triage_pb2.TakeNoFurtherActionRequest(reason=action.reason, note=action.note)
                by = SUPERVISOR if action.by == "supervisor" else DESK
                self._decide(course, "nothing", "TakeNoFurtherAction", nothing, by)
            case Recall():
                self._recall(course, action)
            case Answer():
                self._answer(course, action.answer)
                self._play.tell(f"{course.title}: {action.partner} asked, and the raiser answered")
            case Accompany():
                self._accompany(course, action)
            case Confer():
                self._confer(course, action)

    def _ask(self, course: Course, action: Ask) -> None:
        request = triage_pb2.RequestInformationRequest(question=action.question)
        self._decide(course, "ask", "RequestInformation", request)
        self._answer(course, action.answer, Signs(**action.signs))  # type: ignore[arg-type]  # names the scenario checked
        self._play.tell(f"{course.title}: the desk asked, and the raiser answered")

    def _answer(self, course: Course, words: str, signs: Signs | None = None) -> None:
        """The raiser answers the question once it is there."""
        intake = self._people.intake(*_who(course.raising))
        mine = intake_pb2.GetReferralRequest(referral_id=course.referral_id)

        def asked() -> intake_pb2.GetReferralResponse | None:
            found: intake_pb2.GetReferralResponse = self._call(intake.GetReferral, mine)
            return found if found.question else None

        found = self._play.until("the question to reach its raiser", asked)
        answer = intake_pb2.SupplyInformationRequest(
            idempotency_key=f"{course.raising.idempotency_key}-answer"[-100:],
            referral_id=course.referral_id,
            seen_sequence=found.sequence,
            information=Narrative(text=words),
            signs=signs,
        )
        self._call(intake.SupplyInformation, answer)

    def _decide(self, course: Course, key: str, rpc: str, request: Any, by: tuple[str, str] = DESK) -> None:
        """One command of the desk, once the referral lies on its worklist."""
        triage = self._people.triage(*by)

        def listed() -> triage_pb2.WorkItem | None:
            work: triage_pb2.ListWorkResponse = self._call(triage.ListWork, triage_pb2.ListWorkRequest(limit=MOST))
            return next((item for item in work.items if item.referral_id == course.referral_id), None)

        item = self._play.until("the referral to reach the desk's worklist", listed)
        request.command.idempotency_key = f"{course.raising.idempotency_key}-{key}"[-100:]
        request.command.referral_id = course.referral_id
        request.command.seen_sequence = item.sequence
        self._call(getattr(triage, rpc), request)
        self._play.tell(f"{course.title}: {_WORDS[rpc]}")

    def _recall(self, course: Course, action: Recall) -> None:
        def taken_on() -> routing_pb2.JourneyLeg | None:
            legs = self.journey(course.referral_id).legs
            return next((leg for leg in legs if leg.partner_id == action.partner and leg.state in LEG_TAKEN_ON), None)

        leg = self._play.until(f"{action.partner} to take its leg on", taken_on)
        request = routing_pb2.RecallRequest(
            idempotency_key=f"{course.raising.idempotency_key}-recall"[-100:],
            referral_id=course.referral_id,
            leg_id=leg.leg_id,
            reason=action.reason,
        )
        self._call(self._people.routing(*DESK).Recall, request)
        self._play.tell(f"{course.title}: the desk took {action.partner}'s leg back ({action.reason})")

    def _confer(self, course: Course, action: Confer) -> None:
        """The desk calls a conference with a partner that has not ended its work, records it, and sees to it."""

        def unended() -> routing_pb2.JourneyLeg | None:
            legs = self.journey(course.referral_id).legs
            return next((leg for leg in legs if leg.partner_id == action.partner and leg.state in LEG_OPEN), None)

        leg = self._play.until(f"{action.partner} to be offered its leg", unended)
        desk = self._people.procedures(*DESK)
        met = self._call(desk.CallConference, meeting.called(course, action, leg.leg_id))
        self._call(desk.RecordConference, meeting.held(course, action, leg.leg_id, met.conference_id))
        self._call(desk.CompleteDecision, meeting.decision_done(course, met.conference_id))
        self._play.tell(f"{course.title}: the desk and {action.partner} conferred, and what they decided is done")

    def _accompany(self, course: Course, action: Accompany) -> None:
        """Somebody is there for the victim: how to reach them, what they need and which rights they have."""
        self._play.until("routing to know of the victim", lambda: self.journey(course.referral_id).victims or None)
        for step in meeting.first_steps(action):
            self._victim_step(course, action.subject, step)
        self._play.tell(f"{course.title}: the desk named somebody who is there for the victim")

    def _ask_how_it_was(self, course: Course, action: Accompany) -> None:
        asked = routing_pb2.SatisfactionAsked(score=action.satisfaction)
        self._victim_step(course, action.subject, routing_pb2.VictimStep(satisfaction_asked=asked))

    def _victim_step(self, course: Course, subject: int, step: routing_pb2.VictimStep) -> None:
        request = meeting.victim_step(course, subject, step)
        self._call(self._people.routing(*DESK).RecordVictimStep, request)

    def _tell_victim(self, course: Course, told: ToldReply) -> None:
        def known() -> bool | None:
            return any(step.kind == "outcome_known" for step in self.journey(course.referral_id).steps) or None

        self._play.until("the outcome to be known", known)
        key = f"{course.raising.idempotency_key}-told"[-100:]
        request = routing_pb2.RecordToldRequest(idempotency_key=key, referral_id=course.referral_id, told=told)
        self._call(self._people.routing(*DESK).RecordTold, request)

    def _see_closed(self, course: Course) -> None:
        def closed() -> routing_pb2.GetJourneyResponse | None:
            found = self.journey(course.referral_id)
            return found if found.state == REFERRAL_STATE_CLOSED else None

        found = self._play.until("it to be closed", closed)
        if any(step.kind == "outcome_told" for step in found.steps):
            self._play.recorded(RecordedUntold(course.referral_id, "anonymous"))

    def _read_outcome(self, course: Course) -> bool | None:
        request = routing_pb2.ReadOutcomeRequest(referral_id=course.referral_id)
        found = self._look(self._people.routing(*_who(course.raising)).ReadOutcome, request)
        if found is None:
            return None
        self._play.told(course, OutcomeRead(course.referral_id, found.state, found.words))
        return found.state == REFERRAL_STATE_CLOSED or None

    def _look(self, rpc: Rpc, request: Any) -> Any | None:
        """Ask routing; None while it has not yet read what intake acknowledged."""
        try:
            return self._call(rpc, request)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def _call(self, rpc: Rpc, request: Any) -> Any:
        """Call, and again with the same key while the outcome is unknown; no longer than patience lasts."""
        while True:
            try:
                return rpc(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in UNKNOWN or not self._play.seconds_left():
                    raise


_WORDS = {
    "OverrideGrade": "the desk judged the grade itself",
    "Route": "the desk chose who must know",
    "TakeNoFurtherAction": "the desk took no further action",
    "RequestInformation": "the desk asked the raiser",
}


def _who(raising: Raising) -> tuple[str, str]:
    raiser = raising.stated.raiser
    role: Role.ValueType = raiser.role
    return ROLE_NAMES[role], raiser.id
