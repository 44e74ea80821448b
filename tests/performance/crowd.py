"""Callers who do not wait for each other: each with a connection and a certificate of their own, driven by Go.

What is sent is made here, before anything is measured, and what became of it is looked at afterwards: the driver
(callers/main.go) must not take the time that it measures from the service beside it.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from services.chassis.grpc_client import TlsFiles
from services.cli.local.home import CHECKOUT
from tests.performance.compiled import compiled

RAISE_CONCERN: Final = "/safeguarding.v1.Intake/RaiseConcern"
CALL_SECONDS: Final = 60.0
DANGER_EVERY: Final = 10
"""Of the requests, the first of so many says that someone is in danger now."""
LEAST_RATE: Final = 0.99
"""Of the rate that was asked for: what must really have been sent for a run to count."""
ENDS_SECONDS: Final = 300.0


class Outcome(NamedTuple):
    """What became of one call; milliseconds since the first was due."""

    code: str
    says: str
    retry: float
    due: float
    sent: float
    ended: float
    answer: bytes = b""
    """As it was serialised; empty where there was none."""

    @property
    def latency(self) -> float:
        """Milliseconds from when it was due."""
        return self.ended - self.due


@dataclass(frozen=True, slots=True)
class Driver:
    """What drives a service: where it listens, who calls."""

    address: str
    callers: Sequence[TlsFiles]

    def paced(
        self, requests: Sequence[bytes], warm: int, due: Sequence[float], counts: Callable[[], None]
    ) -> list[Outcome]:
        """Send each when it is due (seconds); `counts` is called once `warm` were sent. What became of all."""
        return self._driven(requests, warm, counts, {"due": due})

    def flight(self, requests: Sequence[bytes], warm: int, most: int, counts: Callable[[], None]) -> list[Outcome]:
        """Have so many under way at any time."""
        return self._driven(requests, warm, counts, {"in_flight": most})

    def _driven(
        self, requests: Sequence[bytes], warm: int, counts: Callable[[], None], how: dict[str, Any]
    ) -> list[Outcome]:
        with tempfile.TemporaryDirectory(dir=CHECKOUT / "build", prefix="bench-callers-") as folder:
            sent, became = Path(folder) / "requests", Path(folder) / "outcomes"
            sent.write_bytes(b"".join(len(each).to_bytes(4, "big") + each for each in requests))
            told = {
                "address": self.address,
                "method": RAISE_CONCERN,
                "authority": str(self.callers[0].authority),
                "callers": [{"certificate": str(one.certificate), "key": str(one.key)} for one in self.callers],
                "requests": str(sent),
                "outcomes": str(became),
                "warm": warm,
                "call_seconds": CALL_SECONDS,
                **how,
            }
            _run(json.dumps(told), counts)
            with became.open() as lines:
                return [_read(line) for line in lines]


def evenly(rate: float, count: int) -> list[float]:
    """When calls are due that come so many a second, one like the other; seconds."""
    return [number / rate for number in range(count)]


def independently(rate: float, count: int, seed: str) -> list[float]:
    """When calls are due of people who know nothing of each other, so many a second in the long run; seconds.

    Two sides at even rates would meet at the same distance again and again, for as long as they last: whether they are
    in each other's way would be an accident of when they began. The same seed gives the same times.
    """
    dice = random.Random(seed)
    gaps = (dice.expovariate(rate) for _ in range(count - 1))
    return list(itertools.accumulate(gaps, initial=0.0))


def why_failed(outcomes: Iterable[Outcome]) -> str:
    """What was neither answered well nor refused as it must be, or nothing; of all outcomes, from the first on."""
    codes = Counter(_became(outcome, number) for number, outcome in enumerate(outcomes))
    wrong = {code: count for code, count in codes.items() if code not in ("OK", "refused")}
    return f"answered {wrong}" if wrong else ""


def why_void(rate: float, most_refused: float, outcomes: Sequence[Outcome], warm: int) -> str:
    """Why a run at a rate does not count, or nothing; after the warm-up at most such a share may be refused."""
    counted = outcomes[warm:]
    took = counted[-1].sent - counted[0].due
    due = counted[-1].due - counted[0].due
    if due < LEAST_RATE * took:
        return f"the driver sent {rate * due / took:.0f} a second, not {rate:.0f}"
    if wrong := why_failed(outcomes):
        return wrong
    refused = len(counted) - len(latencies(counted))
    return f"refused {refused} of {len(counted)}" if refused > most_refused * len(counted) else ""


def latencies(outcomes: Iterable[Outcome]) -> list[float]:
    """Milliseconds of what was answered well."""
    return [outcome.latency for outcome in outcomes if outcome.code == "OK"]


def per_second(outcomes: Sequence[Outcome]) -> float:
    """Answered well in a second, until the last of them was: what comes late counts for less."""
    ended = [outcome.ended for outcome in outcomes if outcome.code == "OK"]
    return 1_000 * len(ended) / (max(ended) - outcomes[0].due) if ended else 0.0


def _became(outcome: Outcome, number: int) -> str:
    if outcome.code == "OK":
        return "OK"
    if outcome.code == "ResourceExhausted" and outcome.retry > 0:
        return "refused" if number % DANGER_EVERY else "refused although someone is in danger"
    return f"{outcome.code}: {outcome.says}"


def _read(line: str) -> Outcome:
    read: dict[str, Any] = json.loads(line)
    return Outcome(
        read["code"],
        read.get("says", ""),
        read.get("retry_ms", 0.0),
        read["due_ms"],
        read["sent_ms"],
        read["ended_ms"],
        b64decode(read.get("answer", "")),
    )


def _run(told: str, counts: Callable[[], None]) -> None:
    """Run the driver to its end. Raises RuntimeError, in its own words, where it fails."""
    pipe = subprocess.PIPE
    with subprocess.Popen([compiled("callers")], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        try:
            driver.stdin.write(told)
            driver.stdin.flush()
            if driver.stdout.readline():
                counts()
            _, failed = driver.communicate(timeout=ENDS_SECONDS)
        finally:
            driver.kill()  # nothing where it has ended
        if driver.returncode:
            raise RuntimeError(f"the driver failed: {failed.strip()}")
