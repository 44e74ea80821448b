"""The command line itself: exit statuses, errors as JSON, and no option for what is personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from services.chassis.directory import LONGEST_KIND
from services.cli import __main__ as command
from services.cli import partner
from services.cli.local import directory

REFERRAL = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFERRALS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REFERRALS_AS", raising=False)
    return tmp_path / "home"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of the command as a shell sees it."""
    monkeypatch.setattr("sys.argv", ["referrals", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return int(ended.value.code or 0)


NEEDS_A_STACK = [
    ("raise", "--as", "officer/o-1", "--file", "-"),
    ("mine", REFERRAL, "--as", "officer/o-1"),
    ("outcome", REFERRAL, "--as", "officer/o-1"),
    ("withdraw", REFERRAL, "--as", "officer/o-1", "--reason", "mistake"),
    ("journey", REFERRAL, "--as", "triage/t-1"),
    ("desk", "list", "--as", "triage/t-1"),
    ("link", "list", REFERRAL, "--as", "triage/t-1"),
    ("link", "confirm", REFERRAL, REFERRAL, "--as", "triage/t-1"),
    ("stage", REFERRAL, "strategy_discussion", "--as", "triage/t-1"),
    ("conference", "show", REFERRAL, "--as", "triage/t-1"),
    ("inbox", "farm-watch"),
    ("reply", "farm-watch", REFERRAL, REFERRAL, "accept"),
    ("partner", "add", "--all-planned"),
    ("partner", "remove", "farm-watch"),
    ("tail",),
    ("parked", "list", "triage"),
    ("audit", "timeline", REFERRAL, "--as", "auditor/a-1", "--reason", "review"),
    ("rebuild", "triage"),
]


@pytest.mark.parametrize("words", NEEDS_A_STACK, ids=" ".join)
def test_without_a_stack_the_status_is_three_and_says_what_to_type(
    words: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 3
    assert "next: referrals up" in capsys.readouterr().err
    assert not home.exists()


USAGE = [
    ("mine", REFERRAL),
    ("rebuild", "zookeeper"),
    ("parked", "list", "zookeeper"),
    ("reply", "farm-watch", REFERRAL, REFERRAL, "shrug"),
    ("reply", "farm-watch", REFERRAL, REFERRAL, "accept", "--reason", "no_capacity"),
    ("reply", "farm-watch", REFERRAL, REFERRAL, "decline"),
    ("inbox", "farm-watch", REFERRAL),
    ("link", "reject", REFERRAL, "--as", "triage/t-1"),
    ("desk", "route", REFERRAL, "--as", "triage/t-1", "--leg", "housing"),
    ("stage", REFERRAL, "strategy_discussion", "--as", "triage/t-1", "--when", "yesterday"),
    ("conference", "call", REFERRAL, "marac", "--as", "triage/t-1", "--about", "safety_plan"),
    ("conference", "held", REFERRAL, REFERRAL, "--as", "triage/t-1", "--decision", "visit", "--file", "pyproject.toml"),
    ("person", "add", "partner", "x", "--kind", "x", "--name", "x"),
    ("person", "add", "officer", "Not An Id", "--kind", "x", "--name", "x"),
    ("person", "add", "officer", "x", "--kind", "k" * 61, "--name", "x"),
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_a_wrong_command_line_has_status_two(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, *words) == 2


def test_the_longest_kind_that_facts_carry_is_taken_and_none_longer() -> None:
    directory.check_kind("k" * LONGEST_KIND)
    with pytest.raises(ValueError, match="a kind of 61 characters: must be at most 60"):
        directory.check_kind("k" * (LONGEST_KIND + 1))


def test_no_partner_is_added_of_a_kind_that_no_fact_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "installed", lambda: None)
    said = ("--name", "Homes", "--serves", "housing", "--area", "bristol", "--kind", "k" * (LONGEST_KIND + 1))

    assert run(monkeypatch, "partner", "add", "homes", *said) == 2


def test_an_error_is_json_where_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "journey", REFERRAL, "--as", "triage/t-1", "--json")

    said = json.loads(capsys.readouterr().err)
    assert (said["status"], said["code"], said["next"]) == (3, "NOT_UP", "referrals up")


def test_people_are_added_listed_and_removed(home: Path) -> None:
    app = command.build()
    added = runner.invoke(
        app, ["person", "add", "volunteer", "v-7", "--kind", "farm_watch", "--name", "Invented", "--json"]
    )
    listed = runner.invoke(app, ["person", "list", "--json"])
    removed = runner.invoke(app, ["person", "remove", "volunteer", "v-7", "--json"])

    assert json.loads(added.stdout)["uri"] == "spiffe://local.referrals.invalid/volunteer/v-7"
    assert [(entry["role"], entry["id"]) for entry in json.loads(listed.stdout)] == [("volunteer", "v-7")]
    assert json.loads(removed.stdout) == {"removed": "volunteer/v-7"}
    assert json.loads(runner.invoke(app, ["person", "list", "--json"]).stdout) == []


def _commands(group: Any, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in group.commands.items():
        whole = f"{path} {name}".strip()
        found |= _commands(each, whole) if isinstance(each, TyperGroup) else {whole: each}
    return found


def test_every_command_speaks_json_and_is_explained() -> None:
    commands = _commands(typer.main.get_command(command.build()))

    without = {name for name, each in commands.items() if not any("--json" in option.opts for option in each.params)}

    assert without <= {"logs"}  # what processes wrote, as they wrote it
    assert all(each.help for each in commands.values())


def test_nothing_personal_has_an_option_of_its_own() -> None:
    commands = _commands(typer.main.get_command(command.build()))
    personal = {"--narrative", "--text", "--subject", "--question", "--answer", "--address", "--telephone", "--name"}

    found = {
        f"{name} {option}"
        for name, each in commands.items()
        for parameter in each.params
        for option in parameter.opts
        if option in personal
    }

    assert found == {"person add --name", "partner add --name"}  # of those who work here, for the directory
