"""The real intake service, as its own `__main__` starts it, on a topic of the benchmark's."""

from __future__ import annotations

import os
from dataclasses import replace

from services import topics
from tests.performance.arms.told import told
from tests.performance.arms.unsafe import seal_nothing


def main() -> None:
    """Run intake until ended."""
    os.environ.update(told()["environment"])
    topics.INTAKE = replace(topics.INTAKE, name=told()["sink"])
    topics.TRIAGE = replace(topics.TRIAGE, name=told()["source"])
    if told()["without"] == "sealing":
        seal_nothing()
    # Only now: it must find the topics as they are here.
    from services.intake.__main__ import main as intake

    intake()


if __name__ == "__main__":
    main()
