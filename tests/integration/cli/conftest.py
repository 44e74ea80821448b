"""A whole stack of these tests' own, since they hold its services; the commands run in this process, on its home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import __main__ as command
from services.cli.exits import Failed
from services.cli.local.stack import Stack

OFFICER, DESK, AUDITOR = "officer/pc-cli", "triage/desk-cli", "auditor/auditor-cli"


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str
    failed: Failed | None

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Referrals:
    """The command, on one stack."""

    stack: Stack

    def __call__(self, *words: str, given: str = "") -> Ran:
        """Run it, whatever comes of it."""
        result = CliRunner().invoke(command.build(), list(words), input=given)
        failed = result.exception if isinstance(result.exception, Failed) else None
        if result.exception and not failed and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(int(failed.status) if failed else result.exit_code, result.stdout, result.stderr, failed)

    def well(self, *words: str, given: str = "") -> Any:
        """Run it with --json and give what it printed; it must end well."""
        ran = self(*words, "--json", given=given)
        assert ran.status == 0, ran
        return ran.json


@pytest.fixture(scope="package")
def referrals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Referrals]:
    """The command with everything up, the area's partners, and three people in the directory."""
    home: Path = tmp_path_factory.mktemp("cli") / "home"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REFERRALS_HOME", str(home))
        referrals = Referrals(Stack())
        try:
            assert referrals("up").status == 0
            for who in (OFFICER, DESK, AUDITOR):
                role, _, id = who.partition("/")
                referrals.well("person", "add", role, id, "--kind", role, "--name", "Somebody Invented")
            referrals.well("partner", "add", "--all-planned")
            yield referrals
        finally:
            referrals.stack.stop()
