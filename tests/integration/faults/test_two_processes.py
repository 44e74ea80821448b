"""Two processes of one service on the same referrals: each effect still happens once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from services.cli.local import home as files
from services.cli.local import ports, probes
from services.cli.local.errors import NotReady
from services.cli.local.stack import Stack
from services.cli.local.supervisor import read_environment
from tests.chaos import load, topics
from tests.chaos.load import Gate
from tests.chaos.world import World

REFERRALS = 400
READY_SECONDS = 30.0


@contextmanager
def second(stack: Stack, service: str, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Another process of a service: the same settings, with ports of its own."""
    own = ports.pick(["grpc", "http"], avoid=stack.access().ports.values())
    prefix = service.replace("-", "_").upper()
    told = read_environment(stack.home.environment(service))
    told |= {f"{prefix}_{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in own.items()}
    command = [sys.executable, "-m", f"services.{service.replace('-', '_')}"]
    process = subprocess.Popen(command, cwd=files.CHECKOUT, env=os.environ | told, stdout=log, stderr=log)
    try:
        access = probes.Access(own, stack.access().admin_password)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                probes.service_is_ready(access, "http")
                break
            except NotReady:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_two_processes_of_a_service_decide_each_referral_once(world: World) -> None:
    stack = world.stack
    gate = Gate(load.planned(2, REFERRALS, run="two"), REFERRALS // 4)
    raisers = world.raise_all(gate)
    with (
        open(stack.home.log("second"), "ab") as log,
        second(stack, "triage", log),
        second(stack, "partner-routing", log) as routing,
    ):
        gate.allow(REFERRALS // 2)
        assert world.ledger.wait_for(REFERRALS // 2, 60)
        # The group's work moves twice: to the second process when the first dies, and back when the second does.
        stack.kill("triage")
        gate.allow(REFERRALS * 3 // 4)
        assert world.ledger.wait_for(REFERRALS * 3 // 4, 60)
        routing.kill()
        gate.allow(REFERRALS)
        for raiser in raisers:
            raiser.join()
        settled = world.settle(90)

    verdict = world.ledger.verdict()
    facts = topics.facts(stack)
    assert verdict.said == ()
    assert settled
    assert verdict.clean
    assert verdict.acknowledged == REFERRALS
    assert (facts.duplicated, facts.out_of_order) == ([], [])
    assert not any(topics.parked(stack).values())
