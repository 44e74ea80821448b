"""`referrals stage` and `referrals conference`: what a person types becomes what is asked."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from safeguarding.v1 import procedure_pb2 as procedure
from safeguarding.v1.common_pb2 import Deadline
from services.cli import __main__ as command

REFERRAL, LEG = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01", "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02"
CONFERENCE = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a03"
ANSWERS: dict[str, Any] = {
    "RecordStage": procedure.RecordStageResponse(started=[Deadline(clock="stage_initial_conference")]),
    "CallConference": procedure.CallConferenceResponse(conference_id=CONFERENCE, leg_ids=[LEG]),
    "RecordConference": procedure.RecordConferenceResponse(leg_ids=[LEG]),
    "CompleteDecision": procedure.CompleteDecisionResponse(),
    "ReadConferences": procedure.ReadConferencesResponse(
        conferences=[
            procedure.Conference(
                conference_id=CONFERENCE,
                stage=procedure.STAGE_MARAC,
                agenda=[procedure.AgendaItem(topic="safety_plan")],
                decisions=[procedure.DecisionAsItStands(number=1, action="visit_weekly", yours=True)],
                minutes="what was said",
            )
        ]
    ),
}


class Stub:
    """Names of RPCs, for what was asked."""

    def __getattr__(self, name: str) -> str:
        return name


class Asked(AbstractContextManager["Asked"]):
    """Stands for the calls: keeps what was asked, and answers as partner-routing would."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def stub(self, kind: Any, service: str) -> Stub:
        assert service == "partner-routing"
        return Stub()

    def ask(self, rpc: str, request: Any) -> Any:
        self.said.append((rpc, request))
        return ANSWERS[rpc]

    def tell(self, rpc: str, request: Any, again: str) -> Any:
        assert request.idempotency_key in again
        return self.ask(rpc, request)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    calls = Asked()
    monkeypatch.setattr("services.cli.conference.Calls", lambda _: calls)
    return calls


def run(*words: str, given: str = "") -> str:
    result = CliRunner().invoke(command.build(), [*words, "--as", "triage/t-1"], input=given)
    assert result.exit_code == 0, result
    return result.stdout


def test_a_stage_is_told_with_its_time_and_what_must_follow_is_shown(asked: Asked) -> None:
    shown = run("stage", REFERRAL, "strategy_discussion", "--leg", LEG, "--when", "2026-11-20T10:00:00+0000")

    [(rpc, request)] = asked.said
    assert (rpc, request.stage, request.leg_id) == ("RecordStage", procedure.STAGE_STRATEGY_DISCUSSION, LEG)
    assert request.happened_at.ToDatetime(UTC) == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert "stage_initial_conference" in shown


def test_a_conference_is_called_with_its_agenda(asked: Asked) -> None:
    at = ("--at", "2026-12-01T09:30:00+0000")
    shown = run("conference", "call", REFERRAL, "marac", *at, "--about", "safety_plan", "--about", "housing")

    [(_, request)] = asked.said
    assert [item.topic for item in request.agenda] == ["safety_plan", "housing"]
    assert request.at.ToDatetime(UTC) == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    assert list(request.leg_ids) == []
    assert CONFERENCE in shown
    assert LEG in shown


def test_decisions_have_an_owner_or_none_and_minutes_come_from_a_file(asked: Asked, tmp_path: Path) -> None:
    minutes = tmp_path / "minutes.txt"
    minutes.write_text("what was said\n")
    decisions = (f"visit_weekly:2026-12-01T12:00:00+0000:{LEG}", "tell_school:2026-12-02")

    run(
        *("conference", "held", REFERRAL, CONFERENCE, "--came", LEG, "--file", str(minutes)),
        *(word for each in decisions for word in ("--decision", each)),
    )

    [(_, request)] = asked.said
    assert [(each.action, each.owner_leg_id) for each in request.decisions] == [
        ("visit_weekly", LEG),
        ("tell_school", ""),
    ]
    assert request.decisions[0].by.ToDatetime(UTC) == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert (request.minutes, list(request.attended_leg_ids)) == ("what was said", [LEG])
    assert not request.HasField("held_at")


def test_what_was_decided_is_done_and_shown(asked: Asked) -> None:
    run("conference", "done", REFERRAL, CONFERENCE, "1")
    shown = run("conference", "show", REFERRAL)
    as_json = json.loads(run("conference", "show", REFERRAL, "--json"))

    assert asked.said[0][1].number == 1
    for said in (CONFERENCE, "marac", "not held yet", "safety_plan", "1. visit_weekly, yours", "what was said"):
        assert said in shown
    assert as_json["conferences"][0]["conference_id"] == CONFERENCE
