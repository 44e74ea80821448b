"""THRIVE is recorded, each time anew, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeguarding.v1 import triage_pb2
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from services.cli import __main__ as command
from services.frozen import replace
from tests.unit.cli.test_link import REFERRAL, Asked
from tests.unit.domains import DESK, SUPERVISOR, kinds_of, sealed
from tests.unit.triage.test_domain import life_of


def test_each_record_is_kept_with_whose_it_is_and_moves_nothing() -> None:
    life, _ = life_of()
    before = life.state

    for version, actor in ((5, DESK), (6, SUPERVISOR)):
        facts = life.say(triage_pb2.RecordThriveRequest(), actor, sealed(FIELD_GROUP_NARRATIVE, version=version))
        assert kinds_of(facts) == ["thrive_recorded"]

    records = [(fact.thrive_recorded.thrive.version, fact.header.actor.id) for fact in life.state.thrive]
    assert records == [(5, DESK.id), (6, SUPERVISOR.id)]
    assert replace(life.state, thrive=(), said=before.said, sequence=before.sequence) == before


def test_it_is_written_in_a_file_whose_fields_are_its_six(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = Asked()
    monkeypatch.setattr("services.cli.desk.Calls", lambda _: calls)
    file = tmp_path / "thrive.toml"
    file.write_text('threat = "he waits outside"\nengagement = "by telephone"\n')

    result = CliRunner().invoke(
        command.build(), ["desk", "thrive", REFERRAL, "--file", str(file), "--as", "triage/t-1"]
    )

    assert result.exit_code == 0, result
    _, (rpc, request) = calls.said
    assert rpc == "RecordThrive"
    assert request.thrive == triage_pb2.Thrive(threat="he waits outside", engagement="by telephone")
    assert "he waits" not in calls.again + result.stdout
