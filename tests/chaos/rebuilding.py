"""At the end of a run: each store made again from the topics alone, compared byte for byte; and the log verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient

from services.chassis import kafka_headers
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.chassis.rebuild import CannotRebuild, rebuild
from services.cli.local.home import CHECKOUT
from services.cli.local.stack import Stack
from services.cli.rebuild import SOURCES
from tests.chaos.same_log import IndexHeld, LogFiles, index_differences, log_differences

REBUILT = ("intake", "triage", "partner-routing")
"""Of intake's documents the keys are kept, which no topic has."""
COMMAND_SECONDS = 1_800.0
"""Of millions of facts, too: what hangs is ended all the same."""

Documents = Mapping[str, Any]


def differences(stack: Stack) -> list[str]:
    """What a full replay of the topics makes otherwise than the run did; services are stopped meanwhile."""
    kafka_headers.tolerate()
    found: list[str] = []
    stack.hold(*REBUILT)
    for service in REBUILT:
        before = _documents(stack, service)
        _empty(stack, service)
        try:
            _rebuild(stack, service)
        except CannotRebuild as error:
            return [*found, f"rebuild of {service}: {error}"]
        after = _documents(stack, service)
        differing = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        found += [f"{service}'s {key} is not as it was" for key in differing[:5]]
        if not before:
            found.append(f"{service} had nothing to rebuild")
    return found + _audit_differences(stack)


def _audit_differences(stack: Stack) -> list[str]:
    """The log is nobody's to rebuild: it must stay as it is, and the index must become again what it was."""
    folder = stack.home.audit / "log"
    stack.hold("audit")
    log, index = LogFiles.of(folder), IndexHeld.of(stack)
    trouble = _referrals(stack, "rebuild", "audit")
    if trouble:
        return [f"rebuild of audit: {trouble}"]
    stack.hold("audit")  # which the command has started again
    found = log_differences(log, LogFiles.of(folder)) + index_differences(index, IndexHeld.of(stack, index.covered))
    stack.start(["audit"])
    return found


def _rebuild(stack: Stack, service: str) -> None:
    login = stack.kafka_login(service)
    access = KafkaAccess(
        login["bootstrap_servers"], login["sasl_plain_username"], login["sasl_plain_password"], SASL_PLAINTEXT
    )
    with MongoClient[dict[str, Any]](stack.mongo_url, tz_aware=True) as client:
        rebuild(SOURCES[service], access, client[_database(service)]["referrals"], folder=stack.home.root)


def log_trouble(stack: Stack) -> str:
    """Why `referrals audit verify` does not hold; empty where the log is complete and says what the topics hold."""
    return _referrals(stack, "audit", "verify")


def _documents(stack: Stack, service: str) -> dict[str, Documents]:
    """Every referral's facts, byte for byte, and what queries see of it."""
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        stored = client[_database(service)]["referrals"].find({}, {"facts": 1, "view": 1, "keys": 1})
        return {
            document["_id"]: {
                "facts": {writer: [bytes(raw) for raw in raws] for writer, raws in document["facts"].items()},
                "view": document["view"],
                "keys": document.get("keys"),
            }
            for document in stored
        }


def _empty(stack: Stack, service: str) -> None:
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        collection = client[_database(service)]["referrals"]
        if service == "intake":
            made = ("facts", "view", "published", "pending", "copies")
            collection.update_many({}, {"$unset": dict.fromkeys(made, "")})
        else:
            collection.delete_many({})


def _database(service: str) -> str:
    return service.replace("-", "_")


def _referrals(stack: Stack, *words: str) -> str:
    """Run the command; what it says where it fails."""
    environment = os.environ | {"REFERRALS_HOME": str(stack.home.root)}
    command = [sys.executable, "-m", "services.cli", *words, "--json"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode == 0:
        return ""
    try:
        return str(json.loads(done.stdout or done.stderr))
    except json.JSONDecodeError:
        return (done.stdout + done.stderr).strip()[-500:]
