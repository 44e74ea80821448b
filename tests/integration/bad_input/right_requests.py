"""One right request for every RPC, each of its fields filled: what tests break, one field at a time."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1 import (
    access_pb2,
    audit_pb2,
    common_pb2,
    concern_pb2,
    equality_pb2,
    insight_pb2,
    intake_pb2,
    parked_pb2,
    partner_pb2,
    procedure_pb2,
    routing_pb2,
)
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER

REFERRAL = "00000000-0000-4000-8000-000000000001"
LEG = "00000000-0000-4000-8000-000000000002"
OTHER = "00000000-0000-4000-8000-000000000003"
KEY = "a-key-of-at-least-16"


def contact() -> concern_pb2.Contact:
    """A contact with everything in it."""
    return concern_pb2.Contact(
        address="1 Test Row",
        postcode="BS1 1AA",
        telephone="0117",
        email="a@b.invalid",
        safe_contact="never at home",
        uprn="100023336956",
    )


def subject(role: int = common_pb2.SUBJECT_ROLE_CHILD) -> concern_pb2.Subject:
    """A subject with everything in it."""
    return concern_pb2.Subject(
        role=role,  # type: ignore[arg-type]  # an int of the enum
        identity=concern_pb2.Identity(given_names="Ann", family_name="Example", date_of_birth="2015-02-03"),
        identifiers=concern_pb2.Identifiers(nhs_number="9999999999", upn="A12345678901B", prison_number="A1234BC"),
        contact=contact(),
        circumstances=concern_pb2.Circumstances(health="asthma", interpreter="Welsh", accessibility="large print"),
    )


def signs() -> concern_pb2.Signs:
    """Signs with each number in it."""
    return concern_pb2.Signs(dash_score=3, complaints_in_six_months=1, abuse_events_in_twelve_months=1)


def place() -> concern_pb2.Place:
    """A place with everything in it."""
    return concern_pb2.Place(
        description="behind the shop",
        postcode="BS1 1AA",
        grid_reference="ST 58 72",
        uprn="100023336957",
        three_words="filled.count.soap",
    )


def concern() -> concern_pb2.Concern:
    """A concern with everything in it."""
    return concern_pb2.Concern(
        kinds=[common_pb2.CONCERN_KIND_CHILD_AT_RISK],
        signs=signs(),
        area="bristol",
        subjects=[subject()],
        narrative=concern_pb2.Narrative(text="what happened"),
        place=place(),
        vehicle=concern_pb2.Vehicle(
            registration="AB12 CDE",
            description="a van",
            livestock="40 ewes",
            speeds=[concern_pb2.SpeedReading(measured_mph=42, limit_mph=20)],
        ),
        raiser=concern_pb2.RaiserDetails(
            name="PC Example",
            contact=contact(),
            organisation="Police",
            interpreter="Welsh",
            accessibility="large print",
        ),
        shields=[common_pb2.Shield(part=common_pb2.SHIELDED_PART_ADDRESS, subject=1, partner_id="nobody")],
    )


def desk(seen: int = 1, referral_id: str = REFERRAL) -> triage.DeskCommand:
    """What each command of the desk names."""
    return triage.DeskCommand(idempotency_key=KEY, referral_id=referral_id, seen_sequence=seen)


def inbox() -> routing_pb2.InboxCommand:
    """What each answer of a partner names."""
    return routing_pb2.InboxCommand(idempotency_key=KEY, referral_id=REFERRAL, leg_id=LEG, note="a note")


def told() -> partner_pb2.ToldReply:
    """Whom, and why not."""
    return partner_pb2.ToldReply(audience=partner_pb2.AUDIENCE_RAISER, not_told=partner_pb2.NOT_TOLD_REASON_UNREACHABLE)


def decision() -> procedure_pb2.ConferenceDecision:
    """What is to be done, by whom and by when."""
    return procedure_pb2.ConferenceDecision(
        action="visit_weekly", owner_leg_id=LEG, by=Timestamp(seconds=2_000_000_000)
    )


_OWN = {"idempotency_key": KEY, "referral_id": REFERRAL}
_SEEN = {"idempotency_key": KEY, "referral_id": REFERRAL, "seen_sequence": 1}

RIGHT: Mapping[str, tuple[str, Message]] = {
    "Intake/RaiseConcern": ("officer", intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=concern())),
    "Intake/RaiseConcerns": (
        "system",
        intake_pb2.RaiseConcernsRequest(
            concerns=[intake_pb2.RaiseConcernRequest(idempotency_key=KEY, concern=concern())]
        ),
    ),
    "Intake/SupplyInformation": (
        "officer",
        intake_pb2.SupplyInformationRequest(**_SEEN, information=concern_pb2.Narrative(text="more"), signs=signs()),  # type: ignore[arg-type]
    ),
    "Intake/Amend": (
        "officer",
        intake_pb2.AmendRequest(
            **_SEEN,  # type: ignore[arg-type]
            kinds=[common_pb2.CONCERN_KIND_DOMESTIC_ABUSE],
            signs=signs(),
            narrative=concern_pb2.Narrative(text="rather"),
            place=place(),
            further_subjects=[subject()],
        ),
    ),
    "Intake/Withdraw": ("officer", intake_pb2.WithdrawRequest(**_SEEN, reason=intake_pb2.WITHDRAWAL_REASON_MISTAKE)),  # type: ignore[arg-type]
    "Intake/GetReferral": ("officer", intake_pb2.GetReferralRequest(referral_id=REFERRAL)),
    "Protection/ReviewErasure": ("protection", intake_pb2.ReviewErasureRequest(referral_id=REFERRAL)),
    "Protection/RequestErasure": (
        "protection",
        intake_pb2.RequestErasureRequest(
            **_OWN,
            subject=1,
            ground="article_17",
            redacted=concern_pb2.Narrative(text="what is left"),
            keep=[common_pb2.FIELD_GROUP_PLACE],
        ),
    ),
    "Protection/DecideErasure": (
        "protection",
        intake_pb2.DecideErasureRequest(**_OWN, request_event_id=LEG, agreed=True, reason="wrong_person"),
    ),
    "Protection/SetHold": ("protection", intake_pb2.SetHoldRequest(**_OWN, held=True, reason="court_order")),
    "Keys/Open": ("service", intake_pb2.OpenRequest(referral_ids=[REFERRAL], purpose="copies")),
    "Watched/FindWatched": ("service", intake_pb2.FindWatchedRequest(referral_ids=[REFERRAL])),
    "Triage/OverrideGrade": (
        "triage",
        triage.OverrideGradeRequest(command=desk(), grade=common_pb2.GRADE_RED, reason="worse than it looks"),
    ),
    "Triage/RequestInformation": ("triage", triage.RequestInformationRequest(command=desk(), question="where?")),
    "Triage/TakeNoFurtherAction": (
        "triage",
        triage.TakeNoFurtherActionRequest(
            command=desk(), reason=triage.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD, note="advice given"
        ),
    ),
    "Triage/Route": (
        "triage",
        triage.RouteRequest(
            command=desk(),
            legs=[
                triage.DeskLeg(
                    service=common_pb2.SERVICE_KIND_HOUSING,
                    purpose="settled_home",
                    basis=common_pb2.LAWFUL_BASIS_PUBLIC_TASK,
                    necessity="needs_a_home",
                )
            ],
        ),
    ),
    "Triage/Reopen": ("supervisor", triage.ReopenRequest(command=desk(), note="it came up again")),
    "Triage/EnterInError": ("supervisor", triage.EnterInErrorRequest(command=desk(), note="another person")),
    "Triage/ConfirmLink": ("triage", triage.ConfirmLinkRequest(command=desk(), other_referral_id=OTHER)),
    "Triage/RejectLink": ("triage", triage.RejectLinkRequest(command=desk(), other_referral_id=OTHER)),
    "Triage/RecordThrive": (
        "triage",
        triage.RecordThriveRequest(
            command=desk(),
            thrive=triage.Thrive(
                threat="he waits outside",
                harm="she is afraid",
                risk="likely",
                investigation="whose car it is",
                vulnerability="she is alone",
                engagement="by telephone",
            ),
        ),
    ),
    "Triage/ListWork": ("triage", triage.ListWorkRequest(limit=10)),
    "Triage/GetAssessment": ("triage", triage.GetAssessmentRequest(referral_id=REFERRAL, reason="triage")),
    "Routing/ReadOutcome": ("officer", routing_pb2.ReadOutcomeRequest(referral_id=REFERRAL)),
    "Routing/RecordTold": ("triage", routing_pb2.RecordToldRequest(**_OWN, told=told())),
    "Routing/Recall": ("triage", routing_pb2.RecallRequest(**_OWN, leg_id=LEG, reason="raised_in_error")),
    "Insight/GetFigure": (
        "protection",
        insight_pb2.GetFigureRequest(figure=insight_pb2.FIGURE_REACH, quarter="2026-Q4"),
    ),
    "Equality/AnswerEquality": (
        "public",
        equality_pb2.AnswerEqualityRequest(
            referral_id=REFERRAL,
            answers=equality_pb2.EqualityAnswers(
                age_band=equality_pb2.AGE_BAND_FROM_65,
                disabled=equality_pb2.DISABLED_YES,
                ethnic_group=equality_pb2.ETHNIC_GROUP_MIXED,
                religion=equality_pb2.RELIGION_NONE,
                sex=equality_pb2.SEX_FEMALE,
                orientation=equality_pb2.ORIENTATION_NOT_SAID,
                gender_as_registered=equality_pb2.GENDER_AS_REGISTERED_YES,
            ),
        ),
    ),
    "Equality/GetEqualityFigure": (
        "protection",
        equality_pb2.GetEqualityFigureRequest(question=equality_pb2.EQUALITY_QUESTION_ETHNIC_GROUP, quarter="2026-Q4"),
    ),
    "Insight/GetOwnService": ("partner", insight_pb2.GetOwnServiceRequest(quarter="2026-Q4")),
    "Routing/RecordVictimStep": (
        "triage",
        routing_pb2.RecordVictimStepRequest(
            idempotency_key=KEY,
            referral_id=REFERRAL,
            step=routing_pb2.VictimStep(
                subject=1,
                rights_explained=routing_pb2.RightsExplained(rights=[1, 4]),
            ),
            safe_times="after six",
        ),
    ),
    "Procedures/RecordStage": (
        "triage",
        procedure_pb2.RecordStageRequest(
            **_OWN,
            stage=procedure_pb2.STAGE_STRATEGY_DISCUSSION,
            leg_id=LEG,
            happened_at=Timestamp(seconds=1_900_000_000),
        ),
    ),
    "Procedures/CallConference": (
        "triage",
        procedure_pb2.CallConferenceRequest(
            **_OWN,
            stage=procedure_pb2.STAGE_INITIAL_CONFERENCE,
            at=Timestamp(seconds=2_000_000_000),
            leg_ids=[LEG],
            agenda=[procedure_pb2.AgendaItem(topic="safety_plan")],
        ),
    ),
    "Procedures/RecordConference": (
        "triage",
        procedure_pb2.RecordConferenceRequest(
            **_OWN,
            conference_id=OTHER,
            held_at=Timestamp(seconds=1_900_000_000),
            attended_leg_ids=[LEG],
            decisions=[decision()],
            minutes="what was said",
            leg_id=LEG,
        ),
    ),
    "Procedures/CompleteDecision": (
        "triage",
        procedure_pb2.CompleteDecisionRequest(**_OWN, conference_id=OTHER, number=1),
    ),
    "Procedures/ReadConferences": ("triage", procedure_pb2.ReadConferencesRequest(referral_id=REFERRAL)),
    "Routing/Shield": (
        "protection",
        routing_pb2.ShieldRequest(
            idempotency_key=KEY,
            referral_id=REFERRAL,
            shield=common_pb2.Shield(part=common_pb2.SHIELDED_PART_ADDRESS, subject=1, partner_id="meadowbank-school"),
            reason="staff_known_to_family",
        ),
    ),
    "Routing/PreviewDisclosure": (
        "protection",
        routing_pb2.PreviewDisclosureRequest(
            referral_id=REFERRAL,
            partner_id="meadowbank-school",
            purpose="child_protection",
            basis=common_pb2.LAWFUL_BASIS_SAFEGUARDING,
        ),
    ),
    "Routing/GetJourney": ("triage", routing_pb2.GetJourneyRequest(referral_id=REFERRAL)),
    "Routing/ReleasePartner": ("operator", routing_pb2.ReleasePartnerRequest(partner_id="nobody")),
    "PartnerInbox/List": ("partner", routing_pb2.ListRequest(limit=10)),
    "PartnerInbox/OpenCopy": ("partner", routing_pb2.OpenCopyRequest(referral_id=REFERRAL, leg_id=LEG)),
    "PartnerInbox/Acknowledge": ("partner", routing_pb2.AcknowledgeRequest(command=inbox())),
    "PartnerInbox/Accept": ("partner", routing_pb2.AcceptRequest(command=inbox())),
    "PartnerInbox/Decline": (
        "partner",
        routing_pb2.DeclineRequest(command=inbox(), reason=partner_pb2.DECLINE_REASON_NO_CAPACITY),
    ),
    "PartnerInbox/Progress": ("partner", routing_pb2.ProgressRequest(command=inbox(), on_hold=True)),
    "PartnerInbox/Complete": (
        "partner",
        routing_pb2.CompleteRequest(command=inbox(), outcome=partner_pb2.OUTCOME_SUPPORTED),
    ),
    "PartnerInbox/Fail": (
        "partner",
        routing_pb2.FailRequest(command=inbox(), reason=partner_pb2.FAILURE_REASON_UNREACHABLE),
    ),
    "PartnerInbox/Tell": ("partner", routing_pb2.TellRequest(command=inbox(), told=told())),
    "PartnerInbox/ConfirmErasure": ("partner", routing_pb2.ConfirmErasureRequest(command=inbox(), subjects=[1])),
    "PartnerInbox/AcknowledgeRecall": ("partner", routing_pb2.AcknowledgeRecallRequest(command=inbox())),
    "PartnerInbox/AskRaiser": ("partner", routing_pb2.AskRaiserRequest(command=inbox())),
    "ParkedRecords/ListParked": ("operator", parked_pb2.ListParkedRequest()),
    "ParkedRecords/ReplayParked": (
        "operator",
        parked_pb2.ReplayParkedRequest(topic="no.such.topic", partition=1, offset=1),
    ),
    "Audit/Timeline": ("auditor", audit_pb2.TimelineRequest(referral_id=REFERRAL, reason="review")),
    "Audit/GetReceipt": ("auditor", audit_pb2.GetReceiptRequest(event_id=REFERRAL)),
    "Audit/GetConsistency": ("auditor", audit_pb2.GetConsistencyRequest(first=1, second=2)),
    "Audit/GetEntries": ("auditor", audit_pb2.GetEntriesRequest(bundle=1, reason="review")),
    "Audit/Search": (
        "auditor",
        audit_pb2.SearchRequest(
            actor_id="nobody",
            actor_role=ROLE_OFFICER,
            partner_id="nobody",
            type="none",
            topic="no.such.topic",
            referral_id=REFERRAL,
            sight=audit_pb2.SIGHT_LOOK,
            operation=audit_pb2.OPERATION_ERASURE,
            look=access_pb2.ACCESS_KIND_VIEWED,
            page="0:0",
            export=True,
            limit=10,
            reason="review",
        ),
    ),
}
"""By Service/Method: the role that calls, and the request."""
