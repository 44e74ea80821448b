"""One concern through every command and reply that takes personal words, each word of them marked."""

from __future__ import annotations

import time
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1 import audit_pb2, common_pb2, concern_pb2, intake_pb2, partner_pb2, procedure_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from services.chassis.sealing import reply_info, seal_to
from tests.integration.bad_input import right_requests as right
from tests.integration.bad_input.support import ask_if_known
from tests.integration.house import CALL_SECONDS, House, Who, new_key
from tests.integration.privacy.planting import Planter
from tests.waiting import happens

INBOX_PARTNER = "safe-harbour"
KAFKA_PARTNERS = ("police-safeguarding", "childrens-care-avon")


class Journey:
    """Drives concerns whose personal fields a planter filled."""

    def __init__(self, house: House, people: dict[str, Who], planter: Planter) -> None:
        self._house = house
        self._people = people
        self._planter = planter
        self.referral_id = ""

    def run(self) -> None:
        """All of it, until the referral's legs have ended and its raiser has read the outcome."""
        self.referral_id = self.raise_it()
        self.add_to_it()
        self.desk_writes()
        self.desk_ends_others()
        self.partners_answer()
        self.everybody_reads()

    def call(self, service: str, method: str, role: str, request: Any) -> Any:
        """Call with every marked field of the request filled."""
        self._planter.plant(request)
        return self._ask(service, method, role, request)

    def _ask(self, service: str, method: str, role: str, request: Any) -> Any:
        who = self._people.get(role) or self._house.who("partner", role)
        return getattr(self._house.stub(service, who), method)(request, timeout=CALL_SECONDS)

    def raise_it(self) -> str:
        """A concern with everything in it, about a victim, a child and a suspect."""
        concern = right.concern()
        del concern.kinds[:]
        concern.kinds.extend([common_pb2.CONCERN_KIND_DOMESTIC_ABUSE, common_pb2.CONCERN_KIND_CHILD_AT_RISK])
        concern.signs.CopyFrom(
            concern_pb2.Signs(dash_score=15, child_lives_here=True, school_age_child=True, consents_to_support=True)
        )
        concern.subjects.append(right.subject(common_pb2.SUBJECT_ROLE_VICTIM))
        concern.subjects.append(right.subject(common_pb2.SUBJECT_ROLE_SUSPECT))
        request = intake_pb2.RaiseConcernRequest(idempotency_key=new_key(), concern=concern)
        answer = self.call("Intake", "RaiseConcern", "officer", request)
        again = self._ask("Intake", "RaiseConcern", "officer", request)
        assert again == answer
        return str(answer.referral_id)

    def add_to_it(self) -> None:
        """Amended, and information supplied."""
        own = {"referral_id": self.referral_id}
        amend = intake_pb2.AmendRequest(
            idempotency_key=new_key(),
            seen_sequence=1,
            narrative=concern_pb2.Narrative(text="x"),
            place=right.place(),
            further_subjects=[right.subject()],
            **own,  # type: ignore[arg-type]
        )
        self.call("Intake", "Amend", "officer", amend)
        information = concern_pb2.Narrative(text="x")
        supply = intake_pb2.SupplyInformationRequest(
            idempotency_key=new_key(),
            seen_sequence=2,
            information=information,
            **own,  # type: ignore[arg-type]
        )
        self.call("Intake", "SupplyInformation", "officer", supply)

    def desk_writes(self) -> None:
        """The desk asks a question."""
        desk = happens("triage has all that was said", lambda: self._desk(self.referral_id, narratives=3))
        self.call("Triage", "RequestInformation", "triage", triage.RequestInformationRequest(command=desk))
        desk = happens("the desk sees it", lambda: self._desk(self.referral_id, narratives=3))
        thought = triage.RecordThriveRequest(command=desk, thrive=triage.Thrive(harm="x"))
        self.call("Triage", "RecordThrive", "triage", thought)

    def desk_ends_others(self) -> None:
        """Referrals that wait for the desk: one judged graver with a reason, one ended with a note."""
        graver = triage.OverrideGradeRequest(command=self._waiting(), grade=common_pb2.GRADE_AMBER)
        self.call("Triage", "OverrideGrade", "supervisor", graver)
        end = triage.TakeNoFurtherActionRequest(
            command=self._waiting(), reason=triage.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD
        )
        self.call("Triage", "TakeNoFurtherAction", "supervisor", end)

    def _waiting(self) -> triage.DeskCommand:
        concern = concern_pb2.Concern(
            kinds=[common_pb2.CONCERN_KIND_VICTIM_SUPPORT],
            area="bath-and-north-east-somerset",
            narrative=concern_pb2.Narrative(text="x"),
        )
        request = intake_pb2.RaiseConcernRequest(idempotency_key=new_key(), concern=concern)
        referral_id = self.call("Intake", "RaiseConcern", "public", request).referral_id
        return happens("triage has graded the referral", lambda: self._desk(referral_id))

    def _desk(self, referral_id: str, narratives: int = 1) -> triage.DeskCommand | None:
        """A command on what triage knows, once that is so many narratives: a fact on its way would outdate it."""
        request = triage.GetAssessmentRequest(referral_id=referral_id, reason="triage")
        found = ask_if_known(self._house.stub("Triage", self._people["triage"]).GetAssessment, request)
        seen = found.item.sequence if found and len(found.narratives) >= narratives else 0
        if not seen:
            return None
        return triage.DeskCommand(idempotency_key=new_key(), referral_id=referral_id, seen_sequence=seen)

    def steps(self, referral_id: str) -> list[routing_pb2.JourneyStep]:
        """The facts of all writers that routing knows."""
        return list(self._journey(referral_id).steps)

    def _journey(self, referral_id: str) -> routing_pb2.GetJourneyResponse:
        request = routing_pb2.GetJourneyRequest(referral_id=referral_id)
        call = self._house.stub("Routing", self._people["triage"]).GetJourney
        return ask_if_known(call, request) or routing_pb2.GetJourneyResponse()

    def leg(self, partner_id: str) -> str:
        """The partner's leg, once it is offered."""

        def found() -> str | None:
            legs = self._journey(self.referral_id).legs
            return next((leg.leg_id for leg in legs if leg.partner_id == partner_id), None)

        return happens(f"{partner_id} is offered a leg", found)

    def partners_answer(self) -> None:
        """By the inbox and by Kafka: taken on, done with a note, failed with a note, declined with a note."""
        leg_id = self.leg(INBOX_PARTNER)
        self.call("PartnerInbox", "Accept", INBOX_PARTNER, routing_pb2.AcceptRequest(command=self._said(leg_id)))
        self.confer()
        self.ask_raiser(leg_id)
        complete = routing_pb2.CompleteRequest(command=self._said(leg_id), outcome=partner_pb2.OUTCOME_SUPPORTED)
        self.call("PartnerInbox", "Complete", INBOX_PARTNER, complete)
        first, second = KAFKA_PARTNERS
        self.reply(first, accepted=partner_pb2.AcceptedReply())
        self.reply(first, failed=partner_pb2.FailedReply(reason=partner_pb2.FAILURE_REASON_UNREACHABLE))
        self.reply(second, declined=partner_pb2.DeclinedReply(reason=partner_pb2.DECLINE_REASON_NO_CAPACITY))
        wanted = {"completed", "failed", "declined"}
        happens("the replies took effect", lambda: wanted <= {step.kind for step in self.steps(self.referral_id)})

    def confer(self) -> None:
        """A case conference with minutes, which go to each invited partner as far as its agreement allows."""
        own = {"referral_id": self.referral_id}
        later = Timestamp(seconds=int(time.time()) + 3600)
        call = procedure_pb2.CallConferenceRequest(
            idempotency_key=new_key(),
            stage=procedure_pb2.STAGE_MARAC,
            at=later,
            agenda=[procedure_pb2.AgendaItem(topic="safety_plan")],
            **own,
        )
        called = self._ask("Procedures", "CallConference", "triage", call)
        held = procedure_pb2.RecordConferenceRequest(
            idempotency_key=new_key(),
            conference_id=called.conference_id,
            decisions=[procedure_pb2.ConferenceDecision(action="visit_weekly", by=later)],
            **own,  # type: ignore[arg-type]
        )
        self.call("Procedures", "RecordConference", "triage", held)
        read = procedure_pb2.ReadConferencesRequest(**own)
        [conference] = self._ask("Procedures", "ReadConferences", "triage", read).conferences
        assert conference.minutes == held.minutes
        [seen] = self._ask("Procedures", "ReadConferences", INBOX_PARTNER, read).conferences
        assert len(called.leg_ids) > 1
        assert len(seen.leg_ids) == 1, "a partner never reads who else was invited"

    def ask_raiser(self, leg_id: str) -> None:
        """A partner asks, its question reaches the raiser, and the answer is in the copy that it opens then."""
        asked = routing_pb2.AskRaiserRequest(command=self._said(leg_id))
        self.call("PartnerInbox", "AskRaiser", INBOX_PARTNER, asked)
        own = intake_pb2.GetReferralRequest(referral_id=self.referral_id)

        def question() -> intake_pb2.GetReferralResponse | None:
            found: intake_pb2.GetReferralResponse = self._ask("Intake", "GetReferral", "officer", own)
            return found if asked.command.note in found.question else None

        seen = happens("the partner's question reaches the raiser", question)
        supply = intake_pb2.SupplyInformationRequest(
            idempotency_key=new_key(),
            referral_id=self.referral_id,
            seen_sequence=seen.sequence,
            information=concern_pb2.Narrative(text="x"),
        )
        self.call("Intake", "SupplyInformation", "officer", supply)
        wanted = "information_passed"
        happens("the answer is passed on", lambda: wanted in {step.kind for step in self.steps(self.referral_id)})

    def _said(self, leg_id: str) -> routing_pb2.InboxCommand:
        return routing_pb2.InboxCommand(idempotency_key=new_key(), referral_id=self.referral_id, leg_id=leg_id)

    def reply(self, partner_id: str, **step: Any) -> None:
        """A reply on the partner's topic with a marked note."""
        login = self._house.partner_login(partner_id)
        reply = partner_pb2.Reply(reply_id=new_key(), referral_id=self.referral_id, leg_id=self.leg(partner_id), **step)
        note = concern_pb2.Narrative(text="x")
        self._planter.plant(note)
        info = reply_info(partner_id, reply.leg_id, reply.reply_id)
        reply.sealed_note = seal_to(bytes.fromhex(login["routing_public_key"]), info, note.SerializeToString())
        key = reply.referral_id.encode()
        self._house.send("", login["replies_topic"], reply.SerializeToString(), key, login=login["login"])

    def everybody_reads(self) -> None:
        """Each query, so that what it opens passes through every log and span."""
        own, reason = {"referral_id": self.referral_id}, {"referral_id": self.referral_id, "reason": "review"}
        concern = self._ask("Intake", "GetReferral", "officer", intake_pb2.GetReferralRequest(**own)).concern
        assert self._planter.word in concern.narrative.text
        assessment = self._ask("Triage", "GetAssessment", "triage", triage.GetAssessmentRequest(**reason))
        assert len(assessment.narratives) == 4
        assert [self._planter.word in each.thrive.harm for each in assessment.thrive] == [True]
        self._ask("Routing", "ReadOutcome", "officer", routing_pb2.ReadOutcomeRequest(**own))
        self._ask("Audit", "Timeline", "auditor", audit_pb2.TimelineRequest(**reason))
        self._ask("Audit", "Search", "auditor", audit_pb2.SearchRequest(limit=1000, reason="review"))
