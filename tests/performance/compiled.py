"""Programs in Go that rows need, built once a run from the folder they lie in."""

from __future__ import annotations

import subprocess
from functools import cache

from services.cli.local.home import CHECKOUT

BUILD_SECONDS = 300


@cache
def compiled(name: str) -> str:
    """The path of tests/performance/<name>, built."""
    binary = CHECKOUT / "build" / f"bench-{name}"
    command = ["go", "build", "-trimpath", "-o", str(binary), "."]
    subprocess.run(command, cwd=CHECKOUT / "tests" / "performance" / name, check=True, timeout=BUILD_SECONDS)
    return str(binary)
