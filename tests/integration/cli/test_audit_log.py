"""The log of a whole stack: verified by the command and by the auditor in Go, receipts, and the index made again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.leaf import Leaf, decode
from services.audit.log.note import Verifier
from services.audit.log.proof import verify_receipt
from services.audit.log.reader import LogReader
from services.cli.local.home import CHECKOUT
from tests.integration.cli.conftest import AUDITOR, OFFICER, Referrals
from tests.integration.cli.test_commands import CONCERN, offered
from tests.waiting import happens

OFFERED = "safeguarding.v1.Offered"
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def raised(referrals: Referrals, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The event id of a concern that went to a partner, and its receipt."""
    file = tmp_path_factory.mktemp("receipts") / "raised.tlog-proof"
    found = referrals.well("raise", "--as", OFFICER, "--file", "-", "--receipt", str(file), given=json.dumps(CONCERN))
    offered(referrals, found["referral_id"])
    return found["event_id"], file


def test_whoever_raises_gets_a_receipt_that_the_key_alone_verifies(
    referrals: Referrals, raised: tuple[str, Path]
) -> None:
    event, file = raised
    key = Verifier.parse((referrals.stack.home.audit / "log.vkey").read_text().strip())

    leaf = decode(verify_receipt(file.read_bytes(), key).leaf)

    assert isinstance(leaf, Leaf)
    assert (leaf.event_id, leaf.actor) == (event, OFFICER)
    again = referrals.well("audit", "receipt", event, "--as", AUDITOR)["receipt"]
    assert decode(verify_receipt(again.encode(), key).leaf) == leaf


def test_who_saw_a_referral_is_told_with_the_basis_and_goes_into_a_file_with_its_checkpoint(
    referrals: Referrals, raised: tuple[str, Path], tmp_path: Path
) -> None:
    asks = ("--as", AUDITOR, "--reason", "review")
    of_offers = ("audit", "search", *asks, "--type", OFFERED)
    offer = happens("an offer is in the index", lambda: referrals.well(*of_offers)["entries"])[0]
    saw = referrals.well("audit", "who-saw", offer["referral_id"], "--as", AUDITOR, "--reason", "review")
    assert OFFERED in {entry["type"] for entry in saw["entries"]}
    assert offer["basis"] != "LAWFUL_BASIS_UNSPECIFIED"
    received = referrals.well("audit", "received", offer["partner_id"], "--as", AUDITOR, "--reason", "review")
    assert offer["event_id"] in {entry["event_id"] for entry in received["entries"]}
    by_auditor = ("audit", "looked-at", AUDITOR, *asks)
    looked = happens("a look is in the index", lambda: referrals.well(*by_auditor)["entries"])
    assert {entry["actor"]["id"] for entry in looked} == {AUDITOR.rpartition("/")[2]}

    file = tmp_path / "received.csv"
    done = referrals.well(
        "audit", "received", offer["partner_id"], "--as", AUDITOR, "--reason", "review", "--csv", str(file)
    )

    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert done["rows"] == len(rows) >= len(received["entries"])
    [row] = [row for row in rows if (row["type"], row["event"]) == (OFFERED, offer["event_id"])]
    key = Verifier.parse((referrals.stack.home.audit / "log.vkey").read_text().strip())
    tree = open_checkpoint(Path(done["checkpoint"]).read_bytes(), key)[0].tree
    leaf = decode(LogReader(referrals.stack.home.audit / "log", tree.size).entry(int(row["place"])))
    assert isinstance(leaf, Leaf)
    assert (leaf.event_id, leaf.sha256.hex()) == (row["event"], row["sha256"])
    assert referrals("audit", "looked-at", "baker/a-1", "--as", AUDITOR, "--reason", "review").status == 2


def test_log_and_topics_say_the_same(referrals: Referrals, raised: tuple[str, Path]) -> None:
    found = referrals.well("audit", "verify")

    assert found["compared_with_topics"]
    assert (found["records"], found["expired"]) == (found["entries"], 0)
    assert referrals.well("audit", "verify", "--log-only")["entries"] >= found["entries"]


def test_a_change_is_found_with_its_place(referrals: Referrals, raised: tuple[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "log"
    referrals.stack.hold("audit")
    try:
        shutil.copytree(referrals.stack.home.audit / "log", copy)
    finally:
        referrals.stack.start(["audit"])
    assert referrals("audit", "verify", "--folder", str(copy)).status == 0
    bundle = sorted(path for path in (copy / "tile" / "entries").rglob("*") if path.is_file())[-1]
    changed = bytearray(bundle.read_bytes())
    changed[len(changed) // 2] ^= 1
    bundle.write_bytes(changed)

    ran = referrals("audit", "verify", "--folder", str(copy))

    assert ran.status == 4
    assert ran.failed is not None
    assert "tile/" in ran.failed.wrong or "entry" in ran.failed.wrong


def test_the_auditor_in_go_passes_the_log_of_a_whole_stack(
    referrals: Referrals, raised: tuple[str, Path], tmp_path: Path
) -> None:
    program = tmp_path / "auditor"
    build = ["go", "build", "-trimpath", "-o", str(program), "."]
    subprocess.run(build, cwd=CHECKOUT / "deploy" / "auditor", check=True, timeout=240)
    audit = referrals.stack.home.audit
    referrals.stack.hold("audit")
    try:
        command = [str(program), "-vkey", str(audit / "log.vkey"), "-seen", str(tmp_path / "seen"), str(audit / "log")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        referrals.stack.start(["audit"])

    assert done.returncode == 0, done.stderr
    assert "auditor: right" in done.stdout


def indexed(referrals: Referrals, size: int) -> dict[str, dict[Any, Any]]:
    """What the index says of the first entries of the log."""
    with MongoClient[dict[str, Any]](referrals.stack.mongo_url) as client:
        database = client["audit"]
        return {
            "entries": {found["_id"]: found for found in database["entries"].find() if found["_id"] < size},
            "events": {found["_id"]: found["entry"] for found in database["events"].find() if found["entry"] < size},
            "referrals": {
                found["_id"]: {place for place in found["entries"] if place < size}
                for found in database["referrals"].find()
                if min(found["entries"]) < size
            },
        }


def test_the_index_is_the_same_again_from_log_and_topics(referrals: Referrals, raised: tuple[str, Path]) -> None:
    referrals.well("audit", "verify")
    with MongoClient[dict[str, Any]](referrals.stack.mongo_url) as client:
        covered = client["audit"]["log"].find_one({"_id": "covered"})
        assert covered is not None
        size = int(covered["size"])
        before = indexed(referrals, size)
        client["audit"]["events"].drop()
        client["audit"]["entries"].delete_many({"_id": {"$mod": [3, 0]}})

    done = referrals.well("rebuild", "audit")

    assert done["entries"] >= size
    assert len(before["entries"]) == size
    assert indexed(referrals, size) == before
