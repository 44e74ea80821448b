"""quixstreams in an environment of its own: beside ours it would take back the project's pydantic."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version

from services.cli.local.home import CHECKOUT

BUILT = CHECKOUT / "build" / "bench-quix"
# The generated messages want the protobuf that they were made for.
WANTED = ("quixstreams==3.28.1", f"protobuf=={version('protobuf')}")
BUILD_SECONDS = 300


@cache
def command() -> list[str]:
    """What runs the arm. Raises CalledProcessError."""
    stamp, python = BUILT / ".wanted", str(BUILT / "bin" / "python")
    if not stamp.is_file() or stamp.read_text() != str(WANTED):
        shutil.rmtree(BUILT, ignore_errors=True)
        [uv] = map(str, (CHECKOUT / "build").glob("uv-*/bin/uv"))
        for words in (
            ["venv", "--python", sys.executable, str(BUILT)],
            ["pip", "install", "--python", python, *WANTED],
        ):
            subprocess.run([uv, "--quiet", *words], check=True, timeout=BUILD_SECONDS, stdout=sys.stderr)
        stamp.write_text(str(WANTED))
    return [python, "-m", "tests.performance.arms.hop_quix"]
