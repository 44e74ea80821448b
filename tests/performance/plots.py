"""Draws what a run measured, as SVG in build/bench: percentiles of latency, and cost against what is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

import pygal
from pygal.style import LightStyle

from tests.performance.result import Found, Sample

SHOWN = (10, 50, 90, 99)
"""Percentiles named on the axis."""
# No script from elsewhere, and the same figures give the same file.
STYLE: dict[str, Any] = {"js": (), "no_prefix": True, "style": LightStyle, "legend_at_bottom": True}


def draw(found: Sequence[Found], folder: Path) -> list[Path]:
    """A file for each contest with latencies, and two for each with sizes; their paths. Raises OSError."""
    return [path for one in found for plots in (_latency, _cost) for path in plots(one, folder)]


def _latency(found: Found, folder: Path) -> Iterator[Path]:
    """Milliseconds at each percentile, a line for each arm; every further nine is as far as the one before."""
    lines = {arm: _cuts(samples) for arm, samples in _good(found) if any(sample.cuts for sample in samples)}
    if not lines:
        return
    chart = pygal.XY(**STYLE, title=found.contest.name, logarithmic=True, dots_size=1)
    chart.x_title, chart.y_title = "percentile", "milliseconds"
    chart.x_labels = [{"value": _place(percentile), "label": f"{percentile}%"} for percentile in SHOWN]
    for arm, cuts in lines.items():
        chart.add(arm, [(_place(percentile), cut) for percentile, cut in enumerate(cuts, start=1)])
    yield _saved(chart, folder / f"latency-{_slug(found)}.svg")


def _cost(found: Found, folder: Path) -> Iterator[Path]:
    """CPU-milliseconds an event, and MiB, against how much is stored."""
    sizes = found.contest.sizes
    measured = sorted((sizes[arm], samples) for arm, samples in _good(found) if arm in sizes)
    if not measured:
        return
    costs = [(stored, median(1_000 / sample.per_cpu for sample in samples)) for stored, samples in measured]
    memory = [(stored, median(sample.memory for sample in samples)) for stored, samples in measured]
    for what, unit, points in (("cost", "CPU-milliseconds an event", costs), ("memory", "MiB", memory)):
        highest = max(value for _, value in points)
        chart = pygal.XY(**STYLE, title=found.contest.name, show_legend=False, range=(0, 1.3 * highest))
        chart.x_title, chart.y_title = "stored", unit
        chart.x_labels = [{"value": log10(stored), "label": f"{stored:,}"} for stored, _ in points]
        chart.add(unit, [(log10(stored), value) for stored, value in points])
        yield _saved(chart, folder / f"{what}-{_slug(found)}.svg")


def _good(found: Found) -> Iterator[tuple[str, list[Sample]]]:
    for arm, samples in found.samples.items():
        good = [sample for sample in samples if not sample.void]
        if good:
            yield arm, good


def _cuts(samples: Sequence[Sample]) -> list[float]:
    """Of each percentile the median of the rounds."""
    return [median(rounds) for rounds in zip(*(sample.cuts for sample in samples if sample.cuts), strict=True)]


def _place(percentile: int) -> float:
    return -log10(1 - percentile / 100)


def _saved(chart: Any, path: Path) -> Path:
    chart.render_to_file(str(path))
    return path


def _slug(found: Found) -> str:
    return re.sub(r"[^a-z0-9]+", "-", found.contest.name.lower()).strip("-")
