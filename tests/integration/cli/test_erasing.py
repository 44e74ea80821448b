"""A subject is erased by two commands of two people; a rebuild of intake does not bring the keys back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pymongo import MongoClient

from tests.integration.cli.conftest import OFFICER, Referrals
from tests.integration.cli.test_commands import CONCERN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ONE, TWO = "protection/dpo-one", "protection/dpo-two"


@pytest.fixture(scope="module")
def referral(referrals: Referrals) -> str:
    for who in (ONE, TWO):
        referrals("person", "add", *who.split("/"), "--kind", "dpo", "--name", "Somebody")
    subject = {"role": "victim", "identity": {"given_names": "Canary", "family_name": "Quillfeather"}}
    concern = {**CONCERN, "subjects": [subject]}
    found = referrals.well("raise", "--as", OFFICER, "--file", "-", given=json.dumps(concern))
    return str(found["referral_id"])


def test_one_asks_and_another_agrees_and_a_rebuild_brings_nothing_back(referrals: Referrals, referral: str) -> None:
    held = referrals.well("hold", referral, "--as", ONE, "--reason", "court_order")
    assert held["event_id"]
    asks = ("erase", referral, "1", "--as", ONE, "--reason", "article_17", "--redacted", "-")
    assert referrals(*asks, given="what is left").status == 4
    referrals.well("hold", referral, "--as", ONE, "--reason", "court_order_ended", "--lift")
    assert referrals.well(*asks, given="what is left")["event_id"]
    waits = referrals.well("erasure", referral, "--as", TWO)
    assert (waits["requested"]["subject"], waits["redacted"]) == (1, "what is left")
    assert referrals("erase", referral, "1", "--as", ONE, "--agree").status == 4
    assert referrals("erase", referral, "2", "--as", TWO, "--agree").status == 2, "no such request waits"
    with MongoClient[dict[str, Any]](referrals.stack.mongo_url) as client:
        documents = client["intake"]["referrals"]
        before = documents.find_one({"_id": referral})
        assert before is not None

        assert referrals.well("erase", referral, "1", "--as", TWO, "--agree")["event_id"]

        documents.update_one({"_id": referral}, {"$set": {"keys.subject-1": before["keys"]["subject-1"]}})
        referrals.well("rebuild", "intake")
        after = documents.find_one({"_id": referral})
        assert after is not None
        assert {"subject-1", "narrative"} <= set(before["keys"])
        assert set(after["keys"]) == set(before["keys"]) - {"subject-1", "narrative"}
    own = referrals.well("mine", referral, "--as", OFFICER)
    assert own["concern"]["narrative"]["text"] == "what is left"
    assert "identity" not in own["concern"]["subjects"][0]
