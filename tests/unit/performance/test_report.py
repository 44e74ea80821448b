"""What a run leaves behind: the keys of bench.json, what a page says of each row, and when docs are written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.performance.__main__ import called, options
from tests.performance.kept import Kept, newest, save
from tests.performance.report import BEGIN, END, Run, keep, page_of, write
from tests.performance.result import Claim, Contest, Found, Sample

KEYS = ["id", "name", "ratio", "low", "high", "goal", "direction"]


def run(words: str = "make bench", *, rows: Sequence[str] = ("1",), whole: bool = True) -> Run:
    return Run(rows, 3, quick=False, words=words, whole=whole)


def kept(found: Found, row: str = "1", *, words: str = "make bench", quick: bool = False) -> Kept:
    return Kept(row, datetime(2026, 11, 23, 17, 30, tzinfo=UTC), 0.5, words, quick, found)


def found(*per_cpu: float, enough: int = 1) -> Found:
    """Of two arms, of which the one uses as much memory as the other and takes twice as long."""
    claims = [Claim("1", "a claim", "one", "other", 2, reached=1.5)]
    samples = {
        "one": [Sample(per_cpu=each, per_second=50, memory=80) for each in per_cpu],
        "other": [Sample(per_cpu=1, per_second=100, memory=80) for _ in per_cpu],
    }
    return Found(Contest("contest", "work", {}, claims), samples, enough)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "performance.md").write_text(f"by hand\n{BEGIN}\nbefore\n{END}\n")
    return tmp_path


def test_bench_json_lists_each_claim_with_these_keys_and_no_others(root: Path) -> None:
    measured = found(1, 3, 2)

    keep(run(), [kept(measured)], root)

    [claim] = json.loads((root / "build" / "bench.json").read_text())
    assert list(claim) == KEYS
    assert (claim["ratio"], claim["low"], claim["high"]) == (2, 1, 3)


def test_a_void_claim_has_no_figures_and_its_line_says_why(root: Path) -> None:
    measured = found(1, 3, enough=3)

    page = keep(run(), [kept(measured)], root)

    [claim] = json.loads((root / "build" / "bench.json").read_text())
    assert (claim["ratio"], claim["low"], claim["high"]) == (None, None, None)
    assert "missed: too few rounds count: 2 of 3" in page


def test_only_a_whole_run_or_one_that_is_asked_to_writes_the_page_in_docs(root: Path) -> None:
    measured, page = kept(found(1)), root / "docs" / "performance.md"
    save(measured, root)

    write(run("python -m tests.performance --rows 1", whole=False), [measured], ["1"], root)
    assert page.read_text() == f"by hand\n{BEGIN}\nbefore\n{END}\n"
    assert (root / "build" / "bench" / "performance.md").exists()

    write(run(), [measured], ["1"], root)
    assert "by `make bench`" in page.read_text()


def test_the_page_in_docs_has_every_row_as_it_was_last_measured_and_says_which_were_not(root: Path) -> None:
    before = kept(found(3), "2", words="python -m tests.performance --rows 2")
    save(kept(found(9), "2"), root)
    save(before, root)
    save(kept(found(1)), root)

    write(run(), [kept(found(1))], ["1", "2", "3"], root)

    page = (root / "docs" / "performance.md").read_text()
    assert "Row 1, 23 November 2026 17:30 UTC, by `make bench`" in page
    assert "Row 2, 23 November 2026 17:30 UTC, by `python -m tests.performance --rows 2`" in page
    assert "Not measured: 3." in page
    assert "9.00" not in page


def test_a_row_comes_back_as_it_was_kept(root: Path) -> None:
    measured = kept(found(1, 3, 2, enough=3))
    measured.found.samples["one"].append(Sample(cuts=(1.5, 2.5), void="late"))
    save(measured, root)

    assert newest(["0", "1"], root) == [measured]


def test_a_quick_run_never_stands_in_the_way_of_a_full_one(root: Path) -> None:
    full, quick = kept(found(1)), kept(found(2), words="make bench-quick", quick=True)

    save(quick, root)
    assert newest(["1"], root) == [quick]
    save(full, root)
    save(quick, root)
    assert newest(["1"], root) == [full]


def test_what_is_kept_of_a_run_that_goes_on_says_what_is_not_measured() -> None:
    measured = kept(found(1))

    assert "Not measured: 3." in page_of([measured], ["1", "3"])
    assert "Not measured" not in page_of([measured], ["1"])


def test_the_page_compares_what_any_two_arms_can_be_compared_by() -> None:
    page = page_of([kept(found(1, 3, 2))], ["1"])

    assert "| one to other | 2.00 (1.00 to 3.00) | 0.50 (0.50 to 0.50) | 1.00 (1.00 to 1.00) |" in page


def test_what_a_row_is_void_by_is_said_in_one_line_without_paths() -> None:
    measured = found(1)
    measured.samples["one"].append(Sample(void=f"ended with 1: Traceback\n  {Path.cwd()}/tests/x.py\nKeyError: 'x'"))

    page = page_of([kept(measured)], ["1"])

    assert "void: one: KeyError: 'x'" in page
    assert str(Path.cwd()) not in page


def test_a_goal_that_only_a_quick_run_is_spared_is_not_said_to_hold() -> None:
    claims = [Claim("7", "a claim", "one", "other", 1)]
    measured = Found(Contest("c", "w", {}, claims), {"one": [Sample(per_cpu=9)], "other": [Sample(per_cpu=10)]})

    page = page_of([kept(measured, "7", quick=True)], ["7"])

    assert "| not reached; holds 0.8 of it, all that is asked of a quick run |" in page
    assert "| holds |" not in page


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "make bench"),
        (["--quick"], "make bench-quick"),
        (["--night"], "make bench-night"),
        (["--quick", "--rows", "1,3"], "python -m tests.performance --quick --rows 1,3"),
        (["--rounds", "7"], "python -m tests.performance --rounds 7"),
    ],
)
def test_a_page_names_the_command_that_does_the_same(asked: list[str], words: str) -> None:
    assert called(options(asked)) == words


def test_a_row_that_there_is_not_is_said_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--rows", "1,12"])

    assert "no row 12: there are 1, 2" in capsys.readouterr().err
