"""What holds for every test: none may skip, and those that share a stack run in one process, one after the other."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest

# Folders whose tests share a stack; the longest first, so that two processes end at about the same time. Everything
# else needs no server, and goes to whichever process is free.
STACKS = {
    "tests/integration/faults": "faults",
    "tests/integration/kafka_in": "broker",
    "tests/integration/replies_in": "broker",
    "tests/integration/engine": "broker",
    "tests/integration/audit": "broker",
    "tests/e2e": "e2e",
    "tests/integration/cli": "cli",
    "tests/integration/local": "local",
    "tests/integration/audit_log": "log",
    "tests/integration/bad_input": "house",
    "tests/integration/privacy": "house",
}

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the groups here too
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name each test's stack, and put those with a stack first."""
    order = list(dict.fromkeys(STACKS.values()))

    def stack_of(item: pytest.Item) -> str:
        folder = item.path.relative_to(config.rootpath).parent.as_posix()
        return next((name for prefix, name in STACKS.items() if f"{folder}/".startswith(f"{prefix}/")), "")

    for item in items:
        if stack := stack_of(item):
            item.add_marker(pytest.mark.xdist_group(stack))
    items.sort(key=lambda item: order.index(stack) if (stack := stack_of(item)) else len(order))


def _failed_if_skipped(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and here nothing is: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips itself."""
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that skips itself."""
    return _failed_if_skipped((yield))
