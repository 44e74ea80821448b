"""`make match-report`: measures the matcher on the labelled set, and writes the tables of docs/matching.md."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from tests.matching.report import Rates, Report, reported

PAGE = Path(__file__).resolve().parents[2] / "docs" / "matching.md"
BEGIN, END = "<!-- begin: make match-report -->", "<!-- end: make match-report -->"


def main() -> int:
    """Print the tables; write them into the page, or compare with it, as asked."""
    parser = argparse.ArgumentParser(prog="make match-report", description=__doc__)
    parser.add_argument("--referrals", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--check", action="store_true", help="fail where the page holds other figures")
    asked = parser.parse_args()
    tables = shown(reported(asked.referrals, asked.seed))
    sys.stdout.write(tables + "\n")
    page = PAGE.read_text()
    now = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{tables}\n{END}", page, flags=re.DOTALL)
    if asked.check:
        return int(now != page)
    PAGE.write_text(now)
    return 0


def shown(report: Report) -> str:
    """The report as Markdown."""
    lines = [
        f"{report.referrals:,} referrals, seed {report.seed}. A pair is two referrals.",
        "",
        "| looked for | true pairs | found | precision | recall |",
        "|---|---|---|---|---|",
        *(_row(what, rates) for what, rates in report.rates.items()),
        "",
        "Links of one person, by the least score:",
        "",
        "| score | true pairs | found | precision | recall |",
        "|---|---|---|---|---|",
        *(_row(f"{score} or more", rates) for score, rates in report.by_score.items()),
        "",
        "Pairs about one person, by how the one or the other was written:",
        "",
        "| difference | true pairs | recall |",
        "|---|---|---|",
        *(f"| {what} | {rates.true:,} | {rates.recall:.3f} |" for what, rates in report.by_difference.items()),
        "",
        "Pairs wrongly called one person: "
        + (", ".join(f"{what} {count}" for what, count in sorted(report.wrong.items())) or "none")
        + f". Pairs about one twin and the other: {report.twins:,}.",
    ]
    return "\n".join(lines)


def _row(what: str, rates: Rates) -> str:
    return f"| {what} | {rates.true:,} | {rates.found:,} | {rates.precision:.3f} | {rates.recall:.3f} |"


if __name__ == "__main__":
    raise SystemExit(main())
