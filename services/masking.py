"""Small-number suppression: what of a table of counts may be shown, so that no hidden count can be worked out. Pure.

Counts from one to four are masked; nought points at nobody and is shown, so a reader knows that what is masked is at
least one. What could be worked out from the totals is masked too. Totals are masked by themselves alone, so that every
table with the same rows shows the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST = 5
"""The smallest count that is shown."""
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Masked:
    """Which counts of a table are hidden."""

    cells: frozenset[Place]
    rows: frozenset[int]
    columns: frozenset[int]
    total: bool


def masked(table: Sequence[Sequence[int]]) -> Masked:
    """What is hidden of a table whose rows add up to row totals, and these to the total."""
    width = len(table[0]) if table else 0
    rows = [sum(row) for row in table]
    columns = [sum(row[place] for row in table) for place in range(width)]
    total = sum(rows)
    if total < LEAST:
        return _everything(table)
    hidden_rows, hidden_columns = _hidden(rows), _hidden(columns)
    cells = {(row, column) for row in range(len(rows)) for column in range(width) if 0 < table[row][column] < LEAST}
    while True:
        known = _worked_out(table, cells, hidden_rows, hidden_columns)
        further = min((_next(table, cells, place) for place in known), default=None)
        if further is None:
            return Masked(frozenset(cells), hidden_rows, hidden_columns, total=False)
        if further == NOTHING_LEFT:
            return _everything(table)
        cells.add(further[2:])


NOTHING_LEFT = (2, 0, 0, 0)


def _everything(table: Sequence[Sequence[int]]) -> Masked:
    """All that is not nought."""
    cells = {(r, c) for r, row in enumerate(table) for c, count in enumerate(row) if count}
    return Masked(frozenset(cells), frozenset(r for r, _ in cells), frozenset(c for _, c in cells), total=bool(cells))


def _hidden(totals: Sequence[int]) -> frozenset[int]:
    """Which of the totals are hidden, by themselves and their sum: at least two, that leave something open."""
    hidden = {place for place, count in enumerate(totals) if 0 < count < LEAST}
    rest = sorted((count, place) for place, count in enumerate(totals) if count >= LEAST)
    while hidden and rest and (len(hidden) < 2 or sum(totals[place] - 1 for place in hidden) < LEAST - 1):
        hidden.add(rest.pop(0)[1])
    return frozenset(hidden)


def _next(table: Sequence[Sequence[int]], cells: set[Place], place: Place) -> tuple[int, int, int, int]:
    """The smallest shown count beside a place, to be hidden with it; first for a place that is alone in its line."""
    row, column = place
    height, width = len(table), len(table[0])
    along = [(row, each) for each in range(width)] if row < height else []
    down = [(each, column) for each in range(height)] if column < width else []
    lonely = [line for line in (along, down) if sum(each in cells for each in line) == 1]
    beside = [each for line in lonely or (along, down) for each in line]
    shown = [(not lonely, table[r][c], r, c) for r, c in beside if (r, c) not in cells and table[r][c]]
    shown = shown or [(True, n, r, c) for r, line in enumerate(table) for c, n in enumerate(line) if n]
    shown = [each for each in shown if each[2:] not in cells]
    return min(shown, default=NOTHING_LEFT)


def _worked_out(
    table: Sequence[Sequence[int]], cells: set[Place], rows: frozenset[int], columns: frozenset[int]
) -> list[Place]:
    """The hidden counts that can be neither one more nor one less with all that is shown, and none below one.

    Totals stand in a row and a column of their own; where an inner count grows, a total beside it must shrink.
    """
    height, width = len(table), len(table[0])
    values = {(r, c): table[r][c] for r, c in cells}
    values |= {(row, width): sum(table[row]) for row in rows}
    values |= {(height, column): sum(each[column] for each in table) for column in columns}

    def may_grow(place: Place) -> bool:
        """As its line counts it: an inner count upwards, a total downwards."""
        is_total = place[0] == height or place[1] == width
        return not is_total or values[place] > 1

    def may_shrink(place: Place) -> bool:
        is_total = place[0] == height or place[1] == width
        return is_total or values[place] > 1

    return [
        place
        for place in values
        if not (may_grow(place) and _balanced(place, values, may_shrink, may_grow))
        and not (may_shrink(place) and _balanced(place, values, may_grow, may_shrink))
    ]


def _balanced(
    start: Place, values: dict[Place, int], undo: Callable[[Place], bool], redo: Callable[[Place], bool]
) -> bool:
    """Whether a change of one hidden count can be made good by others: down the column, along the row, and back."""
    row, column = start
    seen, waiting = {column}, deque([column])
    while waiting:
        here = waiting.popleft()
        for place in values:
            if place[1] != here or place == start or not undo(place):
                continue
            if place[0] == row:
                if here != column:
                    return True
                continue
            for other in values:
                if other[0] == place[0] and other[1] not in seen and redo(other):
                    seen.add(other[1])
                    waiting.append(other[1])
    return False
