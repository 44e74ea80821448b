"""An arm's CPU time is measured finer than its ticks: a quick run's floor takes only a few of those."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.performance.process import TICKS, own_cpu, usage


def test_cpu_time_is_the_processes_own_clock_and_no_number_of_ticks() -> None:
    found = set()
    for _ in range(20):
        before, cpu, after = time.process_time(), own_cpu(os.getpid()), time.process_time()
        assert before <= cpu <= after
        found.add(cpu)
    assert len(found) == 20
    assert max(found) - min(found) < 20 / TICKS


def test_a_process_that_has_gone_is_said_to_be_and_uses_nothing() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass

    with pytest.raises(ProcessLookupError):
        own_cpu(gone.pid)
    assert usage(gone.pid) == (0.0, 0.0)
