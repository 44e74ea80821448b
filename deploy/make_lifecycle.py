"""Writes docs/lifecycle.md from the one table of the life-cycle: a diagram and every move, for referral and leg."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "lifecycle.md"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from services.lifecycle import LEG_MOVES, REFERRAL_MOVES, Move  # noqa: E402 - found in the checkout by the line above

HEAD = """# The life-cycle

Made by `make lifecycle` from [services/lifecycle.py](../services/lifecycle.py), which the deciders obey; a test fails
where this page is older. A move that is not listed is refused with FAILED_PRECONDITION, which names the moves that are
legal now. Escalation, a warned or breached clock and a leg that came back to the desk are no states: they lie over one.
What each clock amounts to: `deploy/areas/<area>/clocks.toml`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, moves in (("A referral", REFERRAL_MOVES), ("A leg", LEG_MOVES)):
        parts += [f"## {title}\n", diagram(moves), table(moves)]
    return "\n".join(parts)


def diagram(moves: Sequence[Move]) -> str:
    """The moves as a Mermaid state diagram; several moves between the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in moves:
        for source in move.sources or ("[*]",):
            words = arrows.setdefault((source, move.target or source), [])
            if move.name not in words:
                words.append(move.name)
    left = {source for source, target in arrows if source != target}
    ends = sorted({target for _, target in arrows} - left - {"[*]"})
    lines = [f"    {source} --> {target}: {', '.join(words)}" for (source, target), words in arrows.items()]
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def table(moves: Iterable[Move]) -> str:
    """The moves, one a row."""
    rows = ["| move | by | from | to | fact | clocks | only |", "|---|---|---|---|---|---|---|"]
    for move in moves:
        sources = ", ".join(move.sources) or "nothing"
        cells = (
            move.name,
            ", ".join(move.by),
            sources,
            move.target or "as it was",
            move.fact,
            _clocks(move),
            move.only,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _clocks(move: Move) -> str:
    does = (("starts", move.starts), ("stops", move.stops), ("pauses", move.pauses), ("resumes", move.resumes))
    return "; ".join(f"{what} {', '.join(clocks)}" for what, clocks in does if clocks)


if __name__ == "__main__":
    PAGE.write_text(page())
