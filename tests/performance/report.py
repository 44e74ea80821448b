"""What a run says: tables on the screen, build/bench.json, plots, and docs/performance.md after a full run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from services.cli.local.home import CHECKOUT
from tests.performance.plots import draw
from tests.performance.result import QUICK_SHARE, Found, Ratio

JSON = CHECKOUT / "build" / "bench.json"
COLUMNS = {
    "per_cpu": "events a CPU-second",
    "per_second": "events a second",
    "memory": "MiB",
    "p50": "p50, ms",
    "p99": "p99, ms",
}
PAGE = CHECKOUT / "docs" / "performance.md"
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"
LAST = CHECKOUT / "build" / "bench" / "performance.md"


def show(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(found: Sequence[Found], ratios: Sequence[Ratio], *, quick: bool, load: float) -> None:
    """Print the tables and write the files; only a full run goes into the page. `load` is what there was beside it."""
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps([ratio.as_json() for ratio in ratios], indent=2) + "\n")
    page = _page(found, ratios, quick=quick, load=load)
    show("\n" + page)
    LAST.parent.mkdir(exist_ok=True)
    LAST.write_text(page)
    for plot in draw(found, LAST.parent):
        show(f"drawn: {plot.relative_to(CHECKOUT)}")
    if not quick:
        PAGE.write_text(within(PAGE.read_text(), page))


def within(page: str, made: str) -> str:
    """The page with what this run made between its marks; what people wrote around it stays."""
    before, begins, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise ValueError(f"{PAGE.name} must hold the lines {BEGIN} and {END}: a run writes between them")
    return f"{before}{BEGIN}\n{made}{END}{after}"


def _page(found: Sequence[Found], ratios: Sequence[Ratio], *, quick: bool, load: float) -> str:
    made = datetime.now(UTC)
    asked = "0.8 of each goal" if quick else "each goal"
    lines = [
        f"Measured {made:%d %B %Y %H:%M} UTC by `make bench{'-quick' if quick else ''}` on {_machine()},"
        f" whose load was {load:.1f} when it began. Every figure"
        " is a ratio between two arms of the same round on one broker, the median of all rounds with their range;"
        f" absolute figures below are of this machine only. Asked of this run: {asked}; where a goal is not reached,"
        f" {QUICK_SHARE} of what was reached before.",
        "",
        "| # | measured | ratio | range | goal | |",
        "|---|---|---|---|---|---|",
        *map(_row, ratios),
    ]
    short = [ratio.claim for ratio in ratios if ratio.claim.reached and not ratio.reaches_goal]
    if short:
        lines += ["", "## Goals that are not reached, and why", ""]
        lines += [
            f"- **{claim.id}** ({claim.goal:g} wanted, {claim.reached:g} reached): {claim.why}" for claim in short
        ]
    for one in found:
        lines += ["", f"## {one.contest.name}", "", f"{one.contest.work}.", ""]
        lines += _arms(one)
        lines += [f"\nvoid: {void}" for void in one.voids()]
    return "\n".join(lines) + "\n"


def _arms(one: Found) -> list[str]:
    """Each arm's medians of what was measured at all."""
    good = {arm: [sample for sample in samples if not sample.void] for arm, samples in one.samples.items()}
    good = {arm: samples for arm, samples in good.items() if samples}
    columns = {
        metric: title
        for metric, title in COLUMNS.items()
        if any(getattr(sample, metric) for samples in good.values() for sample in samples)
    }
    lines = ["| " + " | ".join(("arm", *columns.values())) + " |", "|---" * (1 + len(columns)) + "|"]
    for arm, samples in good.items():
        medians = [median(getattr(sample, metric) for sample in samples) for metric in columns]
        lines.append("| " + " | ".join((arm, *(f"{each:,.0f}" if each else "" for each in medians))) + " |")
    return lines


def _row(ratio: Ratio) -> str:
    claim = ratio.claim
    if ratio.ratio is None:
        return f"| {claim.id} | {claim.name} | void | | {_goal(ratio)} | missed |"
    low, high = min(ratio.rounds), max(ratio.rounds)
    return (
        f"| {claim.id} | {claim.name} | {_figure(ratio.ratio)} | {_figure(low)} to {_figure(high)} | {_goal(ratio)}"
        f" | {_verdict(ratio)} |"
    )


def _verdict(ratio: Ratio) -> str:
    claim = ratio.claim
    if not claim.goal:
        return ""
    if not ratio.holds:
        return "missed"
    if not claim.reached or ratio.reaches_goal:
        return "holds"
    return f"goal not reached; keeps {QUICK_SHARE} of the {claim.reached:g} reached before"


def _figure(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}"


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
