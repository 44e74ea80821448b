"""`referrals link`: what is asked of triage, and what a desk reads of the answer."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import pytest
from typer.testing import CliRunner

from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.common_pb2 import CONCERN_KIND_DOMESTIC_ABUSE
from services.cli import __main__ as command

REFERRAL, OTHER = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01", "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02"
LINKED = triage.AssessedLink(
    linked=triage.Linked(
        other_referral_id=OTHER,
        by="telephone",
        score=70,
        same=[triage.SAMENESS_HOUSEHOLD],
        other_kinds=[CONCERN_KIND_DOMESTIC_ABUSE],
    ),
    judgement=triage.LINK_JUDGEMENT_REJECTED,
)


class Stub:
    """Names of RPCs, for what was asked."""

    def __getattr__(self, name: str) -> str:
        return name


class Asked(AbstractContextManager["Asked"]):
    """Stands for the calls: keeps what was asked, and answers as triage would."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.again = ""

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def stub(self, kind: Any, service: str) -> Stub:
        assert service == "triage"
        return Stub()

    def ask(self, rpc: str, request: Any) -> Any:
        self.said.append((rpc, request))
        return triage.GetAssessmentResponse(item=triage.WorkItem(referral_id=REFERRAL, sequence=7), links=[LINKED])

    def tell(self, rpc: str, request: Any, again: str) -> Any:
        self.said.append((rpc, request))
        self.again = again
        return triage.RejectLinkResponse(sequence=8)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    calls = Asked()
    monkeypatch.setattr("services.cli.link.Calls", lambda _: calls)
    return calls


def run(*words: str) -> str:
    result = CliRunner().invoke(command.build(), ["link", *words, "--as", "triage/t-1"])
    assert result.exit_code == 0, result
    return result.stdout


def test_links_are_listed_with_what_is_the_same_and_what_was_judged(asked: Asked) -> None:
    shown = run("list", REFERRAL)

    for said in (OTHER, "household", "telephone", "70", "domestic_abuse", "rejected"):
        assert said in shown
    assert asked.said == [("GetAssessment", triage.GetAssessmentRequest(referral_id=REFERRAL, reason="links"))]


def test_links_as_json_come_with_the_sequence_that_a_judgement_names(asked: Asked) -> None:
    said = json.loads(run("list", REFERRAL, "--look", "complaint", "--json"))

    assert said["sequence"] == 7
    assert [each["linked"]["other_referral_id"] for each in said["links"]] == [OTHER]
    assert asked.said[0][1].reason == "complaint"


@pytest.mark.parametrize(("word", "rpc"), [("confirm", "ConfirmLink"), ("reject", "RejectLink")])
def test_a_judgement_names_what_was_seen_and_how_it_is_repeated(asked: Asked, word: str, rpc: str) -> None:
    shown = run(word, REFERRAL, OTHER)

    assert "sequence 8" in shown
    _, (told, request) = asked.said
    assert (told, request.other_referral_id, request.command.seen_sequence) == (rpc, OTHER, 7)
    key = request.command.idempotency_key
    assert asked.again == f"referrals link {word} {REFERRAL} {OTHER} --as triage/t-1 --key {key} --seen 7"


def test_what_was_seen_may_be_named_and_is_then_not_asked_for(asked: Asked) -> None:
    run("reject", REFERRAL, OTHER, "--seen", "5", "--key", "link-test-00000000001")

    [(_, request)] = asked.said
    assert (request.command.seen_sequence, request.command.idempotency_key) == (5, "link-test-00000000001")
