"""On the running stack: looks at one's own, a colleague's and a well-known person's record, with and without a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from safeguarding.v1 import audit_pb2, common_pb2, concern_pb2
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.access_pb2 import Anomaly
from safeguarding.v1.audit_pb2 import TimelineEntry
from services.chassis.staff import PERSON_KEYS
from services.cli.installed import told
from services.cli.local import directory
from services.intake.area import WELL_KNOWN
from services.intake.watched import Watch
from tests.integration.bad_input.support import ask, ask_if_known
from tests.integration.house import House, Who, new_key
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SECONDS = 60.0
COLLEAGUE = concern_pb2.Subject(
    role=common_pb2.SUBJECT_ROLE_VICTIM,
    identity=concern_pb2.Identity(given_names="Petra", family_name="Watched", date_of_birth="1979-11-02"),
)
WELL_KNOWN_PERSON = concern_pb2.Subject(
    role=common_pb2.SUBJECT_ROLE_VICTIM,
    identity=concern_pb2.Identity(given_names="Famous", family_name="Watched", date_of_birth="1980-05-17"),
)


@pytest.fixture(scope="module")
def watched(house: House) -> None:
    """Staff and well-known persons are stated by keys alone; one member of staff works at the desk too."""
    watch = Watch(bytes.fromhex(told(house.stack.home, "intake")["LINKING_KEY"]), dict, frozenset)
    for role, name in (("officer", "officer-watched"), ("triage", "desk-watched")):
        fields = {"name": name, "kind": role, PERSON_KEYS: watch.keys_of(COLLEAGUE)}
        directory.write(house.stack.home, role, name, fields)
    keys = ", ".join(f'"{key}"' for key in watch.keys_of(WELL_KNOWN_PERSON))
    (Path(house.stack.area) / WELL_KNOWN).write_text(f'[[person]]\nkeys = [{keys}]\nsource = "invented"\n')


def waiting(house: House, person: concern_pb2.Subject, linked: Who) -> tuple[str, triage.GetAssessmentResponse]:
    """A referral about a person that waits for the desk, read there by one of the desk."""
    concern = concern_pb2.Concern(
        kinds=[common_pb2.CONCERN_KIND_VICTIM_SUPPORT],
        area="bristol",
        subjects=[person],
        narrative=concern_pb2.Narrative(text="what happened"),
    )
    referral_id = house.raise_concern(concern, house.who("public", "public-watching")).referral_id
    found = happens("triage has it", lambda: read(house, linked, referral_id), SECONDS)
    return referral_id, found


def read(house: House, who: Who, referral_id: str) -> triage.GetAssessmentResponse | None:
    """One look; nothing while triage does not know of it, or has not graded it."""
    request = triage.GetAssessmentRequest(referral_id=referral_id, reason="review")
    found: triage.GetAssessmentResponse | None = ask_if_known(house.stub("Triage", who).GetAssessment, request)
    return found if found is not None and found.item.grade else None


def decide(house: House, who: Who, referral_id: str, seen: int) -> None:
    """Take it off the worklist, so that whoever decides has a task on it and nobody else."""
    command = triage.DeskCommand(idempotency_key=new_key(), referral_id=referral_id, seen_sequence=seen)
    reason = triage.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD
    ask(
        house.stub("Triage", who).TakeNoFurtherAction,
        triage.TakeNoFurtherActionRequest(command=command, reason=reason),
    )


def flagged(house: House, auditor: Who, referral_id: str) -> Sequence[TimelineEntry]:
    """What auditors find of the referral."""
    request = audit_pb2.SearchRequest(
        sight=audit_pb2.SIGHT_FLAGGED, referral_id=referral_id, limit=1_000, reason="review"
    )
    found: Sequence[TimelineEntry] = ask(house.stub("Audit", auditor).Search, request).entries
    return found


def by(entries: Sequence[TimelineEntry]) -> set[tuple[str, int]]:
    """Who was flagged, and for what."""
    return {(entry.looker.id, entry.anomaly) for entry in entries}


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    ("person", "reader", "anomaly"),
    [
        (COLLEAGUE, "desk-curious", Anomaly.ANOMALY_COLLEAGUES_RECORD),
        (COLLEAGUE, "desk-watched", Anomaly.ANOMALY_OWN_RECORD),
        (WELL_KNOWN_PERSON, "desk-curious", Anomaly.ANOMALY_WELL_KNOWN),
    ],
)
def test_a_look_without_a_task_is_flagged_and_one_with_a_task_is_not(
    house: House, people: dict[str, Who], person: concern_pb2.Subject, reader: str, anomaly: int
) -> None:
    linked = house.who("triage", "desk-linked")
    curious = Who("triage", reader) if reader == "desk-watched" else house.who("triage", reader)
    referral_id, seen = waiting(house, person, linked)
    decide(house, linked, referral_id, seen.item.sequence)
    assert read(house, linked, referral_id)

    def looked() -> Sequence[TimelineEntry]:
        assert read(house, curious, referral_id)
        return flagged(house, people["auditor"], referral_id)

    found = happens("the look is flagged", looked, SECONDS)

    assert by(found) == {(curious.id, anomaly)}
    assert {entry.method for entry in found} == {"Triage/GetAssessment"}
    timeline = ask(
        house.stub("Audit", people["auditor"]).Timeline,
        audit_pb2.TimelineRequest(referral_id=referral_id, reason="review"),
    ).entries
    looks = {entry.event_id for entry in timeline if entry.actor.id == curious.id}
    assert {entry.cause_id for entry in found} <= looks
