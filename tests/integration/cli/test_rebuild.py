"""A store that was lost, or put back to an older copy, is the same again after `referrals rebuild`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from safeguarding.v1.intake_pb2 import RaiseConcernRequest
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.chassis.rebuild import CannotRebuild, rebuild
from services.cli.calling import Calls, new_key
from services.cli.local.home import CHECKOUT
from services.cli.local.stack import Stack
from services.cli.rebuild import SOURCES
from services.cli.scenario import load_scenario
from tests.integration.cli.conftest import OFFICER, Referrals
from tests.integration.unread import facts_wait
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

COUNT = 50
SERVICES = ("intake", "triage", "partner-routing")


@pytest.fixture(scope="module")
def store(referrals: Referrals) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](referrals.stack.mongo_url, tz_aware=True) as client:
        yield client


@pytest.fixture(scope="module")
def raised(referrals: Referrals, store: MongoClient[dict[str, Any]]) -> list[str]:
    """Fifty concerns that went as far as they go by themselves."""
    scenario = load_scenario(CHECKOUT / "deploy" / "local" / "scenario")
    with Calls(OFFICER, referrals.stack) as calls:
        rpc = calls.stub(IntakeStub, "intake").RaiseConcern
        ids = [
            calls.tell(rpc, RaiseConcernRequest(idempotency_key=new_key(), concern=stated.concern), "").referral_id
            for stated in islice(cycle(scenario), COUNT)
        ]
    settle(referrals.stack, store)
    return ids


def collection(store: MongoClient[dict[str, Any]], service: str) -> Collection[dict[str, Any]]:
    return store[service.replace("-", "_")]["referrals"]


def documents(store: MongoClient[dict[str, Any]], service: str) -> dict[str, Any]:
    """What a service holds, without what only tells one save from another."""
    return {
        found["_id"]: {name: found.get(name) for name in ("facts", "view", "published", "pending", "copies", "keys")}
        for found in collection(store, service).find()
    }


def settle(stack: Stack, store: MongoClient[dict[str, Any]]) -> None:
    """Wait until everything that was written has been read, and every store knows what is published."""
    happens("everything is read and published", lambda: not facts_wait(stack) and not _pending(store))


def _pending(store: MongoClient[dict[str, Any]]) -> bool:
    return any(collection(store, service).count_documents({"pending": True}) for service in SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_store_that_was_lost_is_the_same_again(
    service: str, referrals: Referrals, store: MongoClient[dict[str, Any]], raised: list[str]
) -> None:
    before = documents(store, service)
    assert set(raised) <= set(before)
    referrals.stack.hold(service)
    if service == "intake":  # its keys are the one thing that no topic can give back
        fields = ("facts", "view", "published", "pending", "copies", "revision")
        collection(store, service).update_many({}, {"$unset": dict.fromkeys(fields, "")})
    else:
        collection(store, service).drop()

    done = referrals.well("rebuild", service)

    assert (done["referrals"], done["without_keys"]) == (len(before), 0)
    assert done["inserted"] == (0 if service == "intake" else len(before))
    assert documents(store, service) == before


@pytest.mark.parametrize("service", SERVICES)
def test_an_older_copy_gets_what_it_lacks_and_keeps_its_keys(
    service: str, referrals: Referrals, store: MongoClient[dict[str, Any]], raised: list[str]
) -> None:
    settle(referrals.stack, store)
    before = documents(store, service)
    referrals.stack.hold(service)
    for number, (id, document) in enumerate(sorted(before.items())):
        if number % 2 and service != "intake":
            collection(store, service).delete_one({"_id": id})
        else:
            older = {writer: facts[:1] for writer, facts in document["facts"].items() if writer in ("intake", service)}
            published = len(older.get(service, ()))
            collection(store, service).update_one({"_id": id}, {"$set": {"facts": older, "published": published}})

    done = referrals.well("rebuild", service)

    assert done["inserted"] + done["updated"] == len(before)
    assert documents(store, service) == before


def test_rebuilding_what_lacks_nothing_changes_nothing(
    referrals: Referrals, store: MongoClient[dict[str, Any]], raised: list[str]
) -> None:
    settle(referrals.stack, store)
    before = documents(store, "partner-routing")

    done = referrals.well("rebuild", "partner-routing")

    assert (done["inserted"], done["updated"]) == (0, len(before))
    assert documents(store, "partner-routing") == before


def test_a_service_that_runs_is_not_rebuilt_under_its_feet(
    referrals: Referrals, store: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    login = referrals.stack.kafka_login("triage")
    kafka = KafkaAccess(
        login["bootstrap_servers"], login["sasl_plain_username"], login["sasl_plain_password"], SASL_PLAINTEXT
    )
    monkeypatch.setattr("services.chassis.rebuild.PATIENCE_SECONDS", 1.0)
    before = documents(store, "triage")

    with pytest.raises(CannotRebuild, match="triage runs"):
        rebuild(SOURCES["triage"], kafka, collection(store, "triage"))

    assert documents(store, "triage") == before
