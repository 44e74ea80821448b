"""A figure: what is counted by what, all its rows and columns, and which of its counts may be shown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from safeguarding.v1 import insight_pb2
from services.masking import LEAST, masked


@dataclass(frozen=True, slots=True)
class One:
    """Something counted: its row, its column, and how long it took where that is asked."""

    row: str
    column: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A figure: its rows and columns, all of them, and what each of those counted adds."""

    rows: Sequence[str]
    columns: Sequence[str]
    count: Callable[[Any], Iterator[One]]


def figure_of(made: Plan, what: Iterable[Any]) -> insight_pb2.GetFigureResponse:
    """Count, and mask what must not be shown."""
    counts: Counter[tuple[str, str]] = Counter()
    seconds: dict[str, list[int]] = {}
    for one in (one for each in what for one in made.count(each)):
        counts[one.row, one.column] += 1
        if one.seconds is not None:
            seconds.setdefault(one.row, []).append(one.seconds)
    table = [[counts[row, column] for column in made.columns] for row in made.rows]
    hidden = masked(table)
    response = insight_pb2.GetFigureResponse(columns=made.columns)
    for r, name in enumerate(made.rows):
        row = response.rows.add(name=name, total=_cell(sum(table[r]), hide=r in hidden.rows))
        row.cells.extend(_cell(count, hide=(r, c) in hidden.cells) for c, count in enumerate(table[r]))
        if len(seconds.get(name, ())) >= LEAST and r not in hidden.rows:
            row.median_seconds = int(median(seconds[name]))
    response.column_totals.extend(
        _cell(sum(row[c] for row in table), hide=c in hidden.columns) for c in range(len(made.columns))
    )
    response.total.CopyFrom(_cell(sum(map(sum, table)), hide=hidden.total))
    return response


def _cell(count: int, *, hide: bool) -> insight_pb2.FigureCell:
    return insight_pb2.FigureCell(masked=hide, count=0 if hide else count)
