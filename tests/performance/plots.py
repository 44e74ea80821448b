"""Draws what a run measured, as SVG in build/bench: percentiles of latency, and cost against what is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from pathlib import Path
from statistics import median

from leather import Chart

from tests.performance.result import Found, Sample

SHOWN = (10, 50, 90, 99)
"""Percentiles named on the axis."""


def draw(found: Sequence[Found], folder: Path) -> list[Path]:
    """A file for each contest with latencies, and two for each with sizes; their paths. Raises OSError."""
    return [path for one in found for plots in (_latency, _cost) for path in plots(one, folder)]


def _latency(found: Found, folder: Path) -> Iterator[Path]:
    """Milliseconds at each percentile, a line for each arm; every further nine is as far as the one before."""
    lines = {arm: _cuts(samples) for arm, samples in _good(found) if any(sample.cuts for sample in samples)}
    if not lines:
        return
    chart = Chart(found.contest.name)
    for arm, cuts in lines.items():
        points = [(_place(percentile), log10(cut)) for percentile, cut in enumerate(cuts, start=1)]
        chart.add_line(points, name=arm, width=1)
    powers = _powers([cut for cuts in lines.values() for cut in cuts])
    chart.add_x_scale(0, _place(99))
    chart.add_x_axis([_place(each) for each in SHOWN], lambda place, *_: f"{100 - 100 / 10**place:.0f}%", "percentile")
    chart.add_y_scale(powers[0], powers[-1])
    chart.add_y_axis(powers, lambda power, *_: f"{10**power:g}", "milliseconds")
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
        chart = Chart(found.contest.name)
        chart.add_line([(log10(stored), value) for stored, value in points], name=unit)
        chart.add_x_axis([log10(stored) for stored, _ in points], lambda place, *_: f"{10**place:,.0f}", "stored")
        chart.add_y_scale(0, 1.3 * max(value for _, value in points))
        chart.add_y_axis(name=unit)
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


def _powers(values: Sequence[float]) -> list[int]:
    """The powers of ten around these."""
    return list(range(floor(log10(min(values))), ceil(log10(max(values)) + 1e-9) + 1))


def _saved(chart: Chart, path: Path) -> Path:
    chart.to_svg(str(path))
    return path


def _slug(found: Found) -> str:
    return re.sub(r"[^a-z0-9]+", "-", found.contest.name.lower()).strip("-")
