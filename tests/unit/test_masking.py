"""No hidden count of a table can be worked out from what is shown; a reader who tries everything is let loose on it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest

from services.masking import LEAST, Masked, masked

Table = list[list[int]]


def shown(
    table: Table, hidden: Masked
) -> tuple[list[list[int | None]], list[int | None], list[int | None], int | None]:
    """What a reader sees."""
    cells = [[None if (r, c) in hidden.cells else count for c, count in enumerate(row)] for r, row in enumerate(table)]
    rows = [None if r in hidden.rows else sum(row) for r, row in enumerate(table)]
    columns = [
        None if c in hidden.columns else sum(row[c] for row in table) for c in range(len(table[0]) if table else 0)
    ]
    return cells, rows, columns, None if hidden.total else sum(map(sum, table))


def possible(table: Table, hidden: Masked, most: int) -> Iterator[Table]:
    """Every table of counts up to so many that looks the same; the reader tries them all, and none is nought."""
    cells, rows, columns, total = shown(table, hidden)
    places = sorted(hidden.cells)
    for values in product(range(1, most + 1), repeat=len(places)):
        found = [[count if count is not None else 0 for count in row] for row in cells]
        for (r, c), value in zip(places, values, strict=True):
            found[r][c] = value
        fits = all(known is None or sum(found[r]) == known for r, known in enumerate(rows))
        fits = fits and all(known is None or sum(row[c] for row in found) == known for c, known in enumerate(columns))
        if fits and (total is None or sum(map(sum, found)) == total):
            yield found


def some_table(chance: random.Random, height: int, width: int, most: int) -> Table:
    return [[chance.randint(0, most) if chance.random() < 0.8 else 0 for _ in range(width)] for _ in range(height)]


@pytest.mark.parametrize("seed", range(60))
def test_a_reader_who_tries_every_table_that_looks_the_same_learns_no_hidden_count(seed: int) -> None:
    chance = random.Random(seed)
    table = some_table(chance, chance.randint(1, 3), 2, 9)
    hidden = masked(table)
    if hidden.total or not 0 < len(hidden.cells) <= 4:  # more would take too long to try; subtraction is tried on all
        return
    most = max(max(row) for row in table) + 2
    looks_alike = list(possible(table, hidden, most))

    assert table in looks_alike
    for r, c in hidden.cells:
        assert len({each[r][c] for each in looks_alike}) > 1, (table, hidden)
    for r in hidden.rows:
        assert len({sum(each[r]) for each in looks_alike}) > 1, (table, hidden)
    for c in hidden.columns:
        assert len({sum(row[c] for row in each) for each in looks_alike}) > 1, (table, hidden)


def subtracted(table: Table, hidden: Masked) -> set[tuple[int, int]]:
    """The hidden places, totals among them, that a reader finds by subtracting from totals again and again."""
    cells, rows, columns, total = shown(table, hidden)
    height, width = len(table), len(table[0])
    grid: list[list[int | None]] = [[*row, rows[r]] for r, row in enumerate(cells)] + [[*columns, total]]
    unknown = {(r, c) for r in range(height + 1) for c in range(width + 1) if grid[r][c] is None}
    found: set[tuple[int, int]] = set()
    lines = [[(r, c) for c in range(width + 1)] for r in range(height + 1)]
    lines += [[(r, c) for r in range(height + 1)] for c in range(width + 1)]
    again = True
    while again:
        again = False
        for line in lines:
            open_ = [place for place in line if grid[place[0]][place[1]] is None]
            if len(open_) != 1:
                continue
            [(r, c)] = open_
            last = line[-1]
            known = sum(grid[a][b] or 0 for a, b in line[:-1] if (a, b) != (r, c))
            grid[r][c] = known if (r, c) == last else (grid[last[0]][last[1]] or 0) - known
            found.add((r, c))
            again = True
    return found & unknown


@pytest.mark.parametrize("seed", range(400))
def test_nothing_hidden_of_a_larger_table_is_found_by_subtraction(seed: int) -> None:
    chance = random.Random(seed)
    table = some_table(chance, chance.randint(1, 7), chance.randint(2, 6), chance.choice([6, 20, 80]))
    hidden = masked(table)

    assert {(r, c) for r, row in enumerate(table) for c, count in enumerate(row) if 0 < count < LEAST} <= hidden.cells
    assert {r for r, row in enumerate(table) if 0 < sum(row) < LEAST} <= hidden.rows
    assert not [1 for r, c in hidden.cells if not table[r][c]], "nought points at nobody"
    assert not subtracted(table, hidden), (table, hidden)


def test_a_lone_small_count_takes_others_with_it() -> None:
    table = [[3, 20, 30], [40, 50, 60], [70, 80, 90]]

    hidden = masked(table)

    assert (0, 0) in hidden.cells
    assert len(hidden.cells) == 4, "two in its row and two in its column, and no more"
    assert not hidden.rows
    assert not hidden.columns


def test_without_small_counts_everything_is_shown() -> None:
    assert masked([[5, 6], [7, 8]]) == Masked(frozenset(), frozenset(), frozenset(), total=False)


def test_a_table_of_hardly_anybody_shows_nothing() -> None:
    hidden = masked([[1, 0], [2, 1]])

    assert hidden.total
    assert hidden.rows == {0, 1}
    assert hidden.cells == {(0, 0), (1, 0), (1, 1)}


def test_a_small_total_is_not_given_away_by_the_others() -> None:
    hidden = masked([[1, 1], [30, 40], [50, 60]])

    assert hidden.rows == {0, 1}, "the smallest of the others is hidden with it"
    assert not hidden.total


def test_totals_are_hidden_alike_whatever_the_table_is_cut_by() -> None:
    by_two = [[1, 1], [30, 40], [50, 60]]
    by_three = [[0, 1, 1], [10, 20, 40], [50, 30, 30]]

    assert masked(by_two).rows == masked(by_three).rows
