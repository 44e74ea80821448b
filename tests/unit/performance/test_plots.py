"""The plots of a run: which are drawn, and that they say what was measured."""

from __future__ import annotations

import re
from pathlib import Path

from tests.performance.plots import draw
from tests.performance.result import Contest, Found, Sample

CUTS = tuple(float(each) for each in range(1, 100))


def words(plot: Path) -> set[str]:
    return {text.strip() for text in re.findall(">([^<]+)<", plot.read_text()) if text.strip()}


def test_latencies_are_drawn_a_line_for_each_arm_that_counts(tmp_path: Path) -> None:
    samples = {
        "services": [Sample(cuts=CUTS), Sample(cuts=CUTS)],
        "relays": [Sample(cuts=CUTS), Sample(void="lost a record")],
        "usual way": [Sample(void="lost a record")],
    }

    [plot] = draw([Found(Contest("To a partner", "w", {}, []), samples)], tmp_path)

    assert plot.name == "latency-to-a-partner.svg"
    assert {"To a partner", "services", "relays", "50%", "99%", "milliseconds"} <= words(plot)
    assert "usual way" not in words(plot)


def test_cost_and_memory_are_drawn_against_what_is_stored(tmp_path: Path) -> None:
    contest = Contest("As it grows", "w", {}, [], {"few": 1_000, "many": 100_000})
    samples = {"few": [Sample(per_cpu=500, memory=120)], "many": [Sample(per_cpu=400, memory=130)]}

    cost, memory = draw([Found(contest, samples)], tmp_path)

    assert (cost.name, memory.name) == ("cost-as-it-grows.svg", "memory-as-it-grows.svg")
    assert {"1,000", "100,000", "CPU-milliseconds an event"} <= words(cost)
    assert "3" in words(cost), "the axis has room for 1,000 / 400"
    assert {"1,000", "100,000", "MiB"} <= words(memory)


def test_the_same_figures_give_the_same_file_and_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    found = Found(Contest("c", "w", {}, []), {"one": [Sample(cuts=CUTS)]})

    [first] = draw([found], tmp_path)
    drawn = first.read_text()
    [again] = draw([found], tmp_path)

    assert again.read_text() == drawn
    assert "href=" not in drawn
    assert "src=" not in drawn


def test_nothing_is_drawn_where_nothing_was_measured(tmp_path: Path) -> None:
    assert draw([Found(Contest("c", "w", {}, []), {"one": [Sample(per_cpu=3)]})], tmp_path) == []
