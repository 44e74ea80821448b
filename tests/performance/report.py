"""What a run says: tables on the screen, build/bench.json, and docs/performance.md after a full run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from services.cli.local.home import CHECKOUT
from tests.performance.result import Found, Ratio

JSON = CHECKOUT / "build" / "bench.json"
PAGE = CHECKOUT / "docs" / "performance.md"


def show(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(found: Sequence[Found], ratios: Sequence[Ratio], *, quick: bool) -> None:
    """Print the tables and write the files; only a full run becomes the page."""
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps([ratio.as_json() for ratio in ratios], indent=2) + "\n")
    page = _page(found, ratios, quick=quick)
    show("\n" + page)
    if not quick:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page)


def _page(found: Sequence[Found], ratios: Sequence[Ratio], *, quick: bool) -> str:
    made = datetime.now(UTC)
    asked = "0.8 of each goal" if quick else "each goal"
    lines = [
        "# How fast it is, beside its peers",
        "",
        f"Measured {made:%d %B %Y %H:%M} UTC by `make bench{'-quick' if quick else ''}` on {_machine()}. Every figure"
        " is a ratio between two arms of the same round on one broker, the median of all rounds with their range;"
        f" absolute figures below are of this machine only. Asked of this run: {asked}.",
        "",
        "| # | measured | ratio | range | goal | |",
        "|---|---|---|---|---|---|",
        *map(_row, ratios),
    ]
    for one in found:
        lines += ["", f"## {one.contest.name}", "", f"{one.contest.work}.", ""]
        lines += ["| arm | events a CPU-second | events a second | MiB |", "|---|---|---|---|"]
        for arm, samples in one.samples.items():
            good = [sample for sample in samples if not sample.void]
            if good:
                cpu, wall = (median(getattr(s, name) for s in good) for name in ("per_cpu", "per_second"))
                lines.append(f"| {arm} | {cpu:,.0f} | {wall:,.0f} | {median(s.memory for s in good):,.0f} |")
        lines += [f"\nvoid: {void}" for void in one.voids()]
    return "\n".join(lines) + "\n"


def _row(ratio: Ratio) -> str:
    claim = ratio.claim
    if ratio.ratio is None:
        return f"| {claim.id} | {claim.name} | void | | {_goal(ratio)} | missed |"
    verdict = "" if not claim.goal else "holds" if ratio.holds else "missed" if claim.gating else "missed (not gating)"
    low, high = min(ratio.rounds), max(ratio.rounds)
    return f"| {claim.id} | {claim.name} | {ratio.ratio:.2f} | {low:.2f} to {high:.2f} | {_goal(ratio)} | {verdict} |"


def _goal(ratio: Ratio) -> str:
    sign = "≥" if ratio.claim.direction == "at least" else "≤"
    return f"{sign} {ratio.claim.goal:g}" if ratio.claim.goal else "none"


def _machine() -> str:
    cores, model = 0, "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        cores += line.startswith("processor")
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 2**20
    return f"{cores} cores ({model}), {memory} GiB"
