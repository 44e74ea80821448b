"""From raised to told by the command alone, and what it says when something is refused, unknown or away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer

from services import topics
from services.cli.local import directory, partners
from services.cli.local.home import CHECKOUT
from tests.integration.cli.conftest import AUDITOR, DESK, OFFICER, Referrals
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

HARE_COURSING = CHECKOUT / "deploy" / "local" / "scenario" / "concerns" / "21-hare-coursing.toml"
NARRATIVE = "Canary Quillfeather saw four men and five dogs"
CONCERN = {
    "kinds": ["rural_crime"],
    "area": "somerset",
    "signs": {"rural": True},
    "narrative": {"text": NARRATIVE},
    "raiser": {"name": "Canary Quillfeather"},
}


def raised(referrals: Referrals) -> str:
    """The id of a concern that goes to farm-watch, which reads its inbox."""
    found = referrals.well("raise", "--as", OFFICER, "--file", "-", given=json.dumps(CONCERN))
    return str(found["referral_id"])


def offered(referrals: Referrals, referral: str, partner: str = "farm-watch") -> str:
    """The leg that the partner finds in its inbox."""

    def leg() -> str:
        items = referrals.well("inbox", partner, "--limit", "500")["items"]
        return next((item["leg_id"] for item in items if item["referral_id"] == referral), "")

    return str(happens(f"{referral} is offered to {partner}", leg))


def wait_until_graded(referrals: Referrals, referral: str) -> None:
    """Wait until routing, which may not even know of the referral yet, has heard its grade."""

    def heard() -> bool:
        ran = referrals("journey", referral, "--as", DESK, "--json")
        return ran.status == 0 and ran.json["grade"] != "GRADE_UNSPECIFIED"

    happens("triage has graded it", heard)


def test_a_concern_goes_from_raised_to_told_by_the_command_alone(referrals: Referrals) -> None:
    referral = raised(referrals)
    farm, police = offered(referrals, referral), offered(referrals, referral, "neighbourhood-policing")

    opened = referrals.well("inbox", "farm-watch", referral, farm)
    for partner, leg in (("farm-watch", farm), ("neighbourhood-policing", police)):
        assert referrals.well("reply", partner, referral, leg, "received")["state"] == "LEG_STATE_RECEIVED"
        assert referrals.well("reply", partner, referral, leg, "accept")["state"] == "LEG_STATE_ACCEPTED"
        assert referrals.well("reply", partner, referral, leg, "progress", "--on-hold")["state"] == "LEG_STATE_ON_HOLD"
        assert referrals.well("reply", partner, referral, leg, "progress")["state"] == "LEG_STATE_IN_PROGRESS"
        done = referrals.well("reply", partner, referral, leg, "outcome", "--outcome", "action_taken")
        assert done["state"] == "LEG_STATE_COMPLETED"
    outcome = referrals.well("outcome", referral, "--as", OFFICER)
    journey = referrals("journey", referral, "--as", DESK)

    assert opened["offer"]["narratives"] == []
    assert outcome["outcome_known"]
    assert outcome["words"]
    assert journey.status == 0
    for said in ("outcome_told", "closed", "farm-watch", "withheld", "narrative", farm):
        assert said in journey.out
    assert NARRATIVE not in journey.out
    timeline = referrals.well("audit", "timeline", referral, "--as", AUDITOR, "--reason", "review")
    assert {"safeguarding.v1.Raised", "safeguarding.v1.Closed"} <= {entry["type"] for entry in timeline["entries"]}


def test_an_illegal_move_is_refused_with_the_moves_that_are_legal(referrals: Referrals) -> None:
    referral = raised(referrals)
    leg = offered(referrals, referral)
    referrals.well("reply", "farm-watch", referral, leg, "decline", "--reason", "no_capacity")

    ran = referrals("reply", "farm-watch", referral, leg, "accept")

    assert ran.status == 4
    assert ran.failed is not None
    assert ran.failed.code == "FAILED_PRECONDITION"
    assert ran.failed.right or ran.failed.legal


def test_the_same_key_gives_one_referral_and_another_body_is_refused(referrals: Referrals) -> None:
    words = ("raise", "--as", OFFICER, "--file", "-", "--key", "cli-test-0000000000000001")

    first = referrals.well(*words, given=json.dumps(CONCERN))
    second = referrals.well(*words, given=json.dumps(CONCERN))
    third = referrals(*words, given=json.dumps({**CONCERN, "area": "bristol"}))

    assert first == second
    assert (third.status, third.failed and third.failed.code) == (4, "ALREADY_EXISTS")


def test_each_refusal_has_status_four_and_says_what_would_be_right(referrals: Referrals) -> None:
    referral = raised(referrals)
    elsewhere = "00000000-0000-4000-8000-000000000000"
    too_long = json.dumps({**CONCERN, "narrative": {"text": "x" * 20_001}})
    refused = {
        "INVALID_ARGUMENT": referrals("raise", "--as", OFFICER, "--file", "-", given=too_long),
        "NOT_FOUND": referrals("mine", elsewhere, "--as", OFFICER),
        "ABORTED": referrals("withdraw", referral, "--as", OFFICER, "--reason", "mistake", "--seen", "7"),
        "PERMISSION_DENIED": referrals("desk", "list", "--as", OFFICER),
    }

    for code, ran in refused.items():
        assert (ran.status, ran.failed and ran.failed.code) == (4, code), ran
        assert ran.failed is not None
        assert ran.failed.next
        assert "xxx" not in str(ran.failed)
    assert "narrative" in str(refused["INVALID_ARGUMENT"].failed)


def test_the_desk_looks_asks_and_the_raiser_answers(referrals: Referrals) -> None:
    concern = {**CONCERN, "kinds": ["anti_social_behaviour"], "area": "bristol", "signs": {}}
    referral = referrals.well("raise", "--as", OFFICER, "--file", "-", given=json.dumps(concern))["referral_id"]
    wait_until_graded(referrals, referral)

    shown = referrals.well("desk", "show", referral, "--as", DESK)
    referrals.well("desk", "ask", referral, "--as", DESK, "--file", "-", given="Which house is it?")
    question = happens("the raiser sees it", lambda: referrals.well("mine", referral, "--as", OFFICER)["question"])
    referrals.well("supply", referral, "--as", OFFICER, "--file", "-", given="The one on the corner.")
    happens("the desk is to read it", lambda: look_again(referrals, referral) == "LOOK_AGAIN_REASON_TOLD_MORE")
    graded = referrals.well("desk", "grade", referral, "red", "--as", DESK, "--file", "-", given="There is a knife.")

    assert shown["narratives"] == [NARRATIVE]
    assert question == "Which house is it?"
    assert graded["sequence"] > shown["item"]["sequence"]


def look_again(referrals: Referrals, referral: str) -> str:
    """Why the desk has to look at it again."""
    return str(referrals.well("desk", "show", referral, "--as", DESK)["item"]["look_again"])


def test_a_raiser_says_that_consent_ended_amends_and_tells_of_new_harm(referrals: Referrals) -> None:
    signs = {"rural": True, "consents_to_support": True}
    concern = json.dumps({**CONCERN, "kinds": ["rural_crime"], "area": "bristol", "signs": signs})
    referral = referrals.well("raise", "--as", OFFICER, "--file", "-", given=concern)["referral_id"]
    wait_until_graded(referrals, referral)

    referrals.well("consent", referral, "ended", "--as", OFFICER)
    after = referrals.well("mine", referral, "--as", OFFICER)["concern"]["signs"]
    place = json.dumps({"place": {"description": "the lower barn"}})
    referrals.well("amend", referral, "--as", OFFICER, "--file", "-", given=place)
    harm = ("--sign", "weapon", "--sign", "complaints_in_six_months=2")
    referrals.well("supply", referral, "--as", OFFICER, "--file", "-", *harm, given="He has a gun.")
    happens("graver", lambda: look_again(referrals, referral) == "LOOK_AGAIN_REASON_GRAVER")
    mine = referrals.well("mine", referral, "--as", OFFICER)["concern"]

    assert (after["rural"], after["consents_to_support"]) == (True, False)
    assert (mine["place"]["description"], mine["signs"]["weapon"]) == ("the lower barn", True)
    foreign = referrals("amend", referral, "--as", OFFICER, "--file", "-", given=json.dumps({"referral_id": "x"}))
    assert (foreign.status, foreign.failed and foreign.failed.code) == (2, "USAGE")


def test_the_desk_lists_confirms_and_rejects_the_links_of_a_referral(referrals: Referrals) -> None:
    person = {"role": "suspect", "identifiers": {"nhs_number": "9434765919"}}
    same = {**CONCERN, "kinds": ["anti_social_behaviour"], "area": "bristol", "subjects": [person]}
    ids = []
    for _ in range(2):
        found = referrals.well("raise", "--as", OFFICER, "--file", "-", given=json.dumps(same))
        ids.append(str(found["referral_id"]))
        wait_until_graded(referrals, ids[-1])
    earlier, later = ids

    of_it = referrals.well("link", "list", later, "--as", DESK)
    confirmed = referrals.well("link", "confirm", later, earlier, "--as", DESK)
    rejected = referrals.well("link", "reject", later, earlier, "--as", DESK)
    again = referrals("link", "reject", later, earlier, "--as", DESK)
    nowhere = referrals("link", "confirm", later, later, "--as", DESK)
    shown = referrals("link", "list", later, "--as", DESK)

    [link] = of_it["links"]
    assert (link["linked"]["other_referral_id"], link["judgement"]) == (earlier, "LINK_JUDGEMENT_UNSPECIFIED")
    assert link["linked"]["same"] == ["SAMENESS_PERSON"]
    assert of_it["sequence"] < confirmed["sequence"] < rejected["sequence"]
    assert (again.status, again.failed and again.failed.code) == (4, "FAILED_PRECONDITION")
    assert again.failed is not None
    assert "ConfirmLink" in again.failed.legal
    assert (nowhere.status, nowhere.failed and nowhere.failed.code) == (4, "NOT_FOUND")
    assert earlier in shown.out
    assert "rejected" in shown.out


def test_a_case_conference_is_called_held_and_read_by_its_partner(referrals: Referrals, tmp_path: Path) -> None:
    referral = raised(referrals)
    farm = offered(referrals, referral)
    offered(referrals, referral, "neighbourhood-policing")
    minutes = tmp_path / "minutes.txt"
    minutes.write_text("Canary Quillfeather was there")
    at = ("--at", "2099-12-01T09:30")
    kind = "professionals_meeting"

    none = referrals.well("conference", "show", referral, "--as", "partner/farm-watch")
    called = referrals.well("conference", "call", referral, kind, "--as", DESK, *at, "--about", "patrols")
    id = called["conference_id"]
    decision = ("--decision", f"warn_farms:2099-12-02T09:30:{farm}", "--file", str(minutes))
    held = referrals.well("conference", "held", referral, id, "--as", DESK, "--came", farm, *decision)
    again = referrals("conference", "held", referral, id, "--as", DESK, *decision)
    seen = referrals.well("conference", "show", referral, "--as", "partner/farm-watch")
    done = referrals("conference", "done", referral, id, "1", "--as", "partner/farm-watch")
    shown = referrals("conference", "show", referral, "--as", DESK)
    stage = referrals.well("stage", referral, "strategy_discussion", "--as", DESK)
    journey = referrals("journey", referral, "--as", DESK)

    assert none == {"conferences": []}
    assert farm not in held["leg_ids"], "its agreement withholds what is written"
    assert (again.status, again.failed and again.failed.code) == (4, "FAILED_PRECONDITION")
    [conference] = seen["conferences"]
    assert (conference["leg_ids"], conference["minutes"]) == ([farm], "")
    assert [(each["action"], each["yours"]) for each in conference["decisions"]] == [("warn_farms", True)]
    assert done.status == 0
    assert "Canary Quillfeather was there" in shown.out
    assert [each["clock"] for each in stage["started"]] == ["stage_initial_conference"]
    for said in ("minutes_passed", "decision_done", "stage_initial_conference", "strategy_discussion", "patrols"):
        assert said in journey.out
    assert "Quillfeather" not in journey.out


def test_tail_shows_facts_decoded_and_nothing_personal(referrals: Referrals) -> None:
    referral = raised(referrals)
    offered(referrals, referral)

    of_it = ("tail", "--from-start", "--referral", referral, "-n", "5")
    ran = referrals(*of_it)
    facts = [json.loads(line) for line in referrals(*of_it, "--json").out.splitlines()]

    assert len(ran.out.splitlines()) == 5
    assert "Raised" in ran.out
    assert "[sealed]" in ran.out
    assert "Quillfeather" not in ran.out + json.dumps(facts)
    assert {fact["topic"].split(".")[0] for fact in facts} <= {"referrals", "partner"}


def saw_one_more(referrals: Referrals, watching: subprocess.Popen[str], after: set[str]) -> bool:
    """Until the command stands at the end it sees none, so one more is raised each time."""
    after.add(raised(referrals))
    return watching.poll() is not None


def test_tail_shows_what_comes_and_not_what_was(referrals: Referrals) -> None:
    before = raised(referrals)
    command = [sys.executable, "-m", "services.cli", "tail", "--topic", topics.INTAKE.name, "-n", "1", "--json"]
    after: set[str] = set()
    watching = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        happens("the command saw one", lambda: saw_one_more(referrals, watching, after))
    finally:
        watching.kill()
        said, _ = watching.communicate()

    shown = json.loads(said)
    assert watching.returncode == 0
    assert shown["referral_id"] in after
    assert shown["referral_id"] != before


def test_a_record_that_cannot_be_read_is_listed_shown_and_replayed(referrals: Referrals) -> None:
    producer = KafkaProducer(**referrals.stack.kafka_login("intake"))
    producer.send(topics.INTAKE.name, b"\xff not protobuf", key=b"nobody").get(10)
    producer.close()

    items = happens("triage parks it", lambda: referrals.well("parked", "list", "triage")["items"])
    place = f"{items[0]['topic']}/{items[0]['partition']}/{items[0]['offset']}"
    shown = referrals.well("parked", "show", "triage", place)
    replayed = referrals("parked", "replay", "triage", place, "--json")

    assert items[0]["class"] == "PARKED_CLASS_UNREADABLE"
    assert shown["record"]["content"] == {}
    assert (replayed.status, replayed.json) == (1, {"replayed": 0, "parked": 1})
    assert referrals("parked", "show", "triage", f"{topics.INTAKE.name}/0/999999").status == 4


def test_a_removed_partner_is_gone_and_its_open_legs_went_to_others(referrals: Referrals) -> None:
    referral = raised(referrals)
    leg = offered(referrals, referral)

    removed = referrals.well("partner", "remove", "farm-watch")
    ran = referrals("inbox", "farm-watch")
    state = happens(
        "the leg expired",
        lambda: next(
            (
                found["state"]
                for found in referrals.well("journey", referral, "--as", DESK)["legs"]
                if found["leg_id"] == leg and found["state"] == "LEG_STATE_EXPIRED"
            ),
            "",
        ),
    )
    added = referrals.well("partner", "add", "--planned", "farm-watch")

    assert removed["legs"] >= 1
    assert (ran.status, state) == (4, "LEG_STATE_EXPIRED")
    assert added == {"added": ["farm-watch"]}
    assert "farm-watch" in {partner["id"] for partner in partners.known(referrals.stack.home)}


def test_somebody_who_was_taken_out_may_not_call(referrals: Referrals) -> None:
    referrals.well("person", "add", "officer", "pc-leaver", "--kind", "police_officer", "--name", "Leaver Invented")
    referrals.well("raise", "--as", "officer/pc-leaver", "--file", str(HARE_COURSING))
    referrals.well("person", "remove", "officer", "pc-leaver")

    ran = referrals("raise", "--as", "officer/pc-leaver", "--file", str(HARE_COURSING))

    assert (ran.status, ran.failed and ran.failed.code) == (4, "PERMISSION_DENIED")
    assert not directory.entry(referrals.stack.home, "officer", "pc-leaver").exists()


def test_while_intake_is_away_raise_repeats_and_then_says_how_to_repeat(
    referrals: Referrals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "concern.json"
    file.write_text(json.dumps(CONCERN))
    monkeypatch.setattr("services.cli.calling.LONGEST_PAUSE", 0.1)
    referrals.stack.hold("intake")
    try:
        ran = referrals("raise", "--as", OFFICER, "--file", str(file))
    finally:
        referrals.stack.start(["intake"])

    assert (ran.status, ran.failed and ran.failed.code) == (1, "UNAVAILABLE")
    assert ran.err.count("repeating with the same key") == 4
    assert ran.failed is not None
    assert "unknown" in ran.failed.wrong
    key = ran.failed.next.split("--key ")[1].split()[0]
    assert referrals.well("raise", "--as", OFFICER, "--file", str(file), "--key", key)["sequence"] == 1
