"""The real triage service, started as its own `__main__` does; only the names of its topics are the benchmark's."""

from __future__ import annotations

import os
from dataclasses import replace

from services import topics
from tests.performance.arms.told import told


def main() -> None:
    """Run triage until ended."""
    os.environ.update(told()["environment"])
    topics.INTAKE = replace(topics.INTAKE, name=told()["source"])
    topics.TRIAGE = replace(topics.TRIAGE, name=told()["sinks"][0])
    # Only now: it must find the topics as they are here.
    from services.triage.__main__ import main as triage

    triage()


if __name__ == "__main__":
    main()
