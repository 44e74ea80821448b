"""The real partner-routing, started as its own `__main__` does; only the names of three topics are the benchmark's."""

from __future__ import annotations

import os
from dataclasses import replace

from services import topics
from tests.performance.arms.told import told


def main() -> None:
    """Run partner-routing until ended."""
    os.environ.update(told()["environment"])
    topics.INTAKE = replace(topics.INTAKE, name=told()["raised"])
    topics.TRIAGE = replace(topics.TRIAGE, name=told()["triaged"])
    topics.ROUTING = replace(topics.ROUTING, name=told()["routed"])
    # Only now: it must find the topics as they are here.
    from services.partner_routing.__main__ import main as routing

    routing()


if __name__ == "__main__":
    main()
