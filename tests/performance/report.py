"""What a run says: tables on the screen, build/bench.json, plots, and docs/performance.md where it is to be written."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from services.cli.local.home import CHECKOUT
from tests.performance.failures import plain
from tests.performance.kept import Kept, newest
from tests.performance.plots import draw
from tests.performance.result import EVERYWHERE, QUICK_SHARE, Found, Ratio

COLUMNS = {
    "per_cpu": "events a CPU-second",
    "per_second": "events a second",
    "memory": "MiB",
    "p50": "p50, ms",
    "p99": "p99, ms",
}
PAGE = Path("docs", "performance.md")
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"


def show(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked of a run."""

    rows: Sequence[str]
    rounds: int
    quick: bool
    words: str
    """The command that asks for this and nothing else."""
    whole: bool
    """True where the page in docs is written: nothing was left out, or it was asked for."""


def keep(run: Run, kept: Sequence[Kept], root: Path = CHECKOUT) -> str:
    """Write what there is so far below build, so that a run that is cut off keeps what it measured; the page."""
    page, folder = page_of(kept, run.rows), root / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    claims = [ratio.as_json() for one in kept for ratio in one.ratios]
    (root / "build" / "bench.json").write_text(json.dumps(claims, indent=2) + "\n")
    (folder / "performance.md").write_text(page)
    return page


def write(run: Run, kept: Sequence[Kept], every: Sequence[str], root: Path = CHECKOUT) -> None:
    """Print the tables and write the files at the end of a run; the page in docs of every row's newest figures."""
    show("\n" + keep(run, kept, root))
    for plot in draw([one.found for one in kept], root / "build" / "bench"):
        show(f"drawn: {plot.relative_to(root)}")
    if run.whole:
        (root / PAGE).write_text(within((root / PAGE).read_text(), page_of(newest(every, root), every)))


def within(page: str, made: str) -> str:
    """The page with what this run made between its marks; what people wrote around it stays."""
    before, begins, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise ValueError(f"{PAGE.name} must hold the lines {BEGIN} and {END}: a run writes between them")
    return f"{before}{BEGIN}\n{made}{END}{after}"


def page_of(kept: Sequence[Kept], rows: Sequence[str]) -> str:
    """The tables of those of the rows that were measured, as they stand in docs between the marks."""
    lines = [
        f"Measured on {_machine()}. Every figure is a ratio between two arms of the same round on one broker, the"
        " median of the rounds that count, with their range; absolute figures below are of this machine only. Asked is"
        f" each goal, in a quick run {QUICK_SHARE} of it; where a goal is not reached, {QUICK_SHARE} of what was"
        " reached before. When each row was measured, how and beside what, stands over its own table.",
    ]
    measured = {one.row for one in kept}
    missing = [row for row in rows if row not in measured]
    if missing:
        lines += ["", f"Not measured: {', '.join(missing)}."]
    lines += ["", "| # | measured | ratio | range | goal | |", "|---|---|---|---|---|---|"]
    lines += [line_of(ratio) for one in kept for ratio in one.ratios]
    short = [ratio.claim for one in kept for ratio in one.ratios if ratio.claim.reached and not ratio.reaches_goal]
    if short:
        lines += ["", "## Goals that are not reached, and why", ""]
        lines += [
            f"- **{claim.id}** ({claim.goal:g} wanted, {claim.reached:g} reached): {claim.why}" for claim in short
        ]
    for one in kept:
        lines += _section(one)
    return "\n".join(lines) + "\n"


def _section(kept: Kept) -> list[str]:
    """One row: how it was measured, its arms, and what can be compared of them."""
    found = kept.found
    return [
        "",
        f"## {found.contest.name}",
        "",
        f"{found.contest.work}. Row {kept.row}, {kept.began:%d %B %Y %H:%M} UTC, by `{kept.words}`, at least"
        f" {found.enough} rounds; the machine's load was {kept.load:.1f} when it began.",
        "",
        *_arms(found),
        *_beside(found),
        *(f"\nvoid: {arm}: {plain(why)}" for arm, why in found.voids()),
    ]


def line_of(ratio: Ratio) -> str:
    """A claim's line of the table."""
    claim = ratio.claim
    if ratio.void:
        return f"| {claim.id} | {claim.name} | void | | {_goal(ratio)} | missed: {ratio.void} |"
    return (
        f"| {claim.id} | {claim.name} | {_figure(ratio.ratio)} | {_figure(ratio.low)} to {_figure(ratio.high)}"
        f" | {_goal(ratio)} | {_verdict(ratio)} |"
    )


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


def _beside(one: Found) -> list[str]:
    """What can be compared of any two arms, whatever is claimed of them."""
    pairs = {pair: found for pair, found in one.beside().items() if found}
    metrics = [metric for metric in EVERYWHERE if any(metric in found for found in pairs.values())]
    if not metrics:
        return []
    lines = ["", "| ratio, and its range | " + " | ".join(COLUMNS[metric] for metric in metrics) + " |"]
    lines += ["|---" * (1 + len(metrics)) + "|"]
    for (of, to), found in pairs.items():
        cells = [_with_range(found[metric]) if metric in found else "" for metric in metrics]
        lines.append(f"| {of} to {to} | " + " | ".join(cells) + " |")
    return lines


def _with_range(ratio: Ratio) -> str:
    return f"{_figure(ratio.ratio)} ({_figure(ratio.low)} to {_figure(ratio.high)})"


def _verdict(ratio: Ratio) -> str:
    claim = ratio.claim
    if not claim.goal:
        return ""
    if not ratio.holds:
        return "missed"
    if ratio.reaches_goal:
        return "holds"
    if not claim.reached:
        return f"not reached; holds {QUICK_SHARE} of it, all that is asked of a quick run"
    return f"goal not reached; keeps {QUICK_SHARE} of the {claim.reached:g} reached before"


def _figure(number: float | None) -> str:
    assert number is not None  # who asks has seen that it is not void
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
