"""The commands say what is wrong and what mends it, and their exit status means something."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import __main__ as command
from services.cli.local import doctor, jars
from services.cli.local.doctor import Finding
from services.cli.local.errors import StackError

runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFERRALS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_status_of_nothing_is_three(home: Path) -> None:
    result = runner.invoke(command.build(), ["status"])

    assert result.exit_code == 3
    assert "referrals up" in result.stdout


def test_down_of_nothing_is_no_error(home: Path) -> None:
    result = runner.invoke(command.build(), ["down", "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"stopped": False}


def test_an_unknown_process_is_named_with_those_there_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["referrals", "up", "--only", "kafka,zookeeper"])

    with pytest.raises(SystemExit, match="1"):
        command.main()

    assert "unknown: zookeeper; the stack has kafka, mongo" in capsys.readouterr().err
    assert not home.exists()


def test_a_log_that_is_not_there_yet_is_named(home: Path) -> None:
    result = runner.invoke(command.build(), ["logs", "kafka"])

    assert isinstance(result.exception, StackError)
    assert "kafka has written no log yet" in str(result.exception)


def test_doctor_fails_and_names_the_mend_when_a_program_is_missing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    result = runner.invoke(command.build(), ["doctor", "--json"])
    found = {finding["what"]: finding for finding in json.loads(result.stdout)}

    assert result.exit_code == 1
    assert found["Maven"]["mend"] == "apt-get install maven"
    assert "openjdk-17-jdk-headless" in found["JDK 17+"]["mend"]
    assert found["Python 3.11+"]["mend"] == ""


def test_doctor_succeeds_when_nothing_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (doctor.python, lambda: Finding("ground", "firm")))

    result = runner.invoke(command.build(), ["doctor"])

    assert result.exit_code == 0
    assert "ok      ground: firm" in result.stdout


def test_without_maven_the_jars_cannot_be_fetched_and_doctor_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(jars, "JARS", tmp_path / "jars")

    with pytest.raises(StackError, match="mvn is not installed: `referrals doctor`"):
        jars.fetch("kafka")

    assert not jars.present("kafka")
