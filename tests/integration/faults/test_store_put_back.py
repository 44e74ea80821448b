"""A store put back to an older copy: the service refuses to run, and names what mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.cli.local import home as files
from services.cli.local.stack import Stack
from services.cli.local.supervisor import read_environment
from services.topics import SERVICES
from tests.chaos import load
from tests.chaos.world import World

DECIDING = ("intake", "triage", "partner-routing")


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_a_service_whose_store_was_put_back_refuses_to_run_and_names_rebuild(world: World) -> None:
    stack = world.stack
    for thread in world.raise_all(load.planned(3, 20, run="older")):
        thread.join()
    assert world.settle(60)
    data, older, newer = (stack.home.data / name for name in ("mongo", "mongo-older", "mongo-newer"))
    stack.hold("mongo")
    shutil.copytree(data, older)
    stack.start(["mongo"])
    for thread in world.raise_all(load.planned(4, 20, run="newer")):
        thread.join()
    assert world.settle(60)

    stack.hold(*SERVICES, "mongo")
    data.rename(newer)
    older.rename(data)
    stack.start(["mongo"])
    with ThreadPoolExecutor(len(DECIDING)) as pool:
        refusals = dict(zip(DECIDING, pool.map(lambda service: run_by_hand(stack, service), DECIDING), strict=True))
    stack.hold("mongo")
    shutil.rmtree(data)
    newer.rename(data)
    stack.start()

    for service, (status, said) in refusals.items():
        assert status not in (0, None), f"{service} ran on an older store"
        assert f"referrals rebuild {service}" in said
    assert world.ledger.verdict().clean, world.ledger.verdict().said


def run_by_hand(stack: Stack, service: str) -> tuple[int | None, str]:
    """Run a service as its supervisor would; its exit status, None where it runs on, and what it said."""
    command = [sys.executable, "-m", f"services.{service.replace('-', '_')}"]
    told = os.environ | read_environment(stack.home.environment(service))
    with subprocess.Popen(
        command, cwd=files.CHECKOUT, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            return None, said
    return process.returncode, said
