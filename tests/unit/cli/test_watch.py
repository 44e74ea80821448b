"""`referrals watch` keeps keys, and of nobody a name."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import build
from services.cli.exits import Exit, Failed
from services.cli.local import directory
from services.cli.local import home as files
from services.cli.local.home import Home

PERSON = '[identity]\ngiven_names = "Petra"\nfamily_name = "Watched"\ndate_of_birth = 1979-11-02\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = Home(tmp_path / "home")
    files.write(found.environment("intake"), f"INTAKE_LINKING_KEY={'ab' * 32}\n")
    monkeypatch.setenv("REFERRALS_HOME", str(found.root))
    return found


def run(*words: str, person: str = PERSON) -> str:
    done = CliRunner().invoke(build(), ["watch", *words, "--file", "-"], input=person, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def test_a_member_of_staff_is_watched_by_keys_in_the_directory(home: Home) -> None:
    directory.write(home, "triage", "desk-4", {"name": "desk-4", "kind": "desk", "team": "north"})

    said = json.loads(run("staff", "triage", "desk-4", "--json"))

    entry = directory.read(home, "triage", "desk-4")
    assert said == {"watched": "triage/desk-4", "keys": 1}
    assert (entry["kind"], entry["team"]) == ("desk", "north")
    assert isinstance(entry["person_keys"], list)
    assert len(entry["person_keys"]) == 1
    assert "Petra" not in directory.entry(home, "triage", "desk-4").read_text()


def test_a_well_known_person_is_printed_as_the_areas_file_states_them(home: Home) -> None:
    [person] = tomllib.loads(run("well-known", "--source", 'the "list"'))["person"]

    assert person["source"] == 'the "list"'
    assert [len(key) for key in person["keys"]] == [32]
    assert tomllib.loads(run("well-known", "--source", "x"))["person"][0]["keys"] == person["keys"]


@pytest.mark.parametrize(
    ("words", "person", "status"),
    [
        (("staff", "triage", "nobody"), PERSON, Exit.REFUSED),
        (("staff", "public", "p-1"), PERSON, Exit.USAGE),
        (("well-known", "--source", "x"), '[identity]\ngiven_names = "Petra"\n', Exit.REFUSED),
        (("well-known", "--source", "x"), "[name]\n", Exit.REFUSED),
    ],
)
def test_what_is_wrong_is_refused_without_a_name(home: Home, words: tuple[str, ...], person: str, status: Exit) -> None:
    with pytest.raises(Failed) as caught:
        run(*words, person=person)

    assert caught.value.status is status
    assert "Petra" not in str(caught.value)
