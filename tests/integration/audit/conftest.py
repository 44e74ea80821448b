"""Audit itself, as the stack runs it, with partners to hear of and auditors to ask it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from services.cli.local import partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from tests.integration.audit.support import Auditor

SCHOOL = Partner("ash-school", "Ash School", ("school",), ("northtown",))


@pytest.fixture(scope="module")
def audit(running_broker: Stack, store: Stack) -> Iterator[Stack]:
    """The stack with audit up and one partner known."""
    partners.add(running_broker, [SCHOOL])
    store.start(["audit"])
    yield store
    store.hold("audit")


@pytest.fixture
def index(audit: Stack) -> Iterator[Database[dict[str, Any]]]:
    """What audit keeps, seen from outside."""
    with MongoClient[dict[str, Any]](audit.mongo_url) as client:
        yield client["audit"]


@pytest.fixture
def auditor(audit: Stack) -> Iterator[Auditor]:
    """Someone who may ask."""
    with Auditor(audit, "auditor", "auditor-1") as found:
        yield found
