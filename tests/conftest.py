"""What holds for every test: a skipped one fails, and those that share servers run in one process.

A missing broker, JDK or file must be seen, not passed over.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from services.cli.local.supervisor import ENDS_WITH
from tests.logged import warnings_since

SHARED = {
    "integration/faults": "faults",
    "integration/audit": "broker",
    "integration/engine": "broker",
    "integration/kafka_in": "broker",
    "integration/linking": "broker",
    "integration/replies_in": "broker",
    "e2e": "e2e",
    "integration/cli": "cli",
    "integration/bad_input": "house",
    "integration/privacy": "house",
    "integration/local": "local",
    "integration/audit_log": "audit log",
}
"""Which servers the tests of a folder share. Longest first, so that the processes end at about the same time."""

# The same examples in each run, and none too late on a busy machine: what fails has found something.
settings.load_profile("ci")
# Whatever a test starts ends with the tests, also where they are killed.
os.environ[ENDS_WITH] = str(os.getpid())

# It says at each of hundreds of connections that a login on loopback is not encrypted.
logging.getLogger("kafka.net.sasl.scram").setLevel(logging.ERROR)

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that share servers together, those that take longest first; then all others."""
    order = {servers: place for place, servers in enumerate(dict.fromkeys(SHARED.values()))}
    items.sort(key=lambda item: order.get(servers_of(item.nodeid) or "", len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what stays to the end, a quarter of a million objects, out of every collection of garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


class ByServers(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Gives all tests that share servers to one process. Marks do not: pytest-xdist 3.8 loses them in pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return servers_of(nodeid) or nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServers | None:
    """Schedule by servers where the command says --dist=loadscope."""
    return ByServers(config, log) if config.getvalue("dist") == "loadscope" else None


def servers_of(nodeid: str) -> str | None:
    """Which servers a test shares, by its folder: tests/e2e/…, tests/integration/<folder>/…

    Raises KeyError for a folder of tests/integration that SHARED does not name.
    """
    folders = nodeid.partition("::")[0].split("/")[1:-1]
    if folders[:1] == ["integration"]:
        return SHARED["/".join(folders[:2])]
    return SHARED.get("/".join(folders))


def _failed_if_skipped(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and here nothing is: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips itself, and show what services complained of while a test failed."""
    report = _failed_if_skipped((yield))
    homes: pytest.TempPathFactory | None = getattr(item.config, "_tmp_path_factory", None)
    if report.failed and homes is not None:
        began = datetime.fromtimestamp(call.start, UTC)
        report.sections += [(f"warnings in {log}", text) for log, text in warnings_since(homes.getbasetemp(), began)]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that skips itself."""
    return _failed_if_skipped((yield))
