"""Where a service can be made to fail, by name; and what a run must have shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

BEFORE = "before "
FIRST_SHARE = 0.5
"""Of the calls of a point that has never failed: some are called hardly once in a fault."""
ENOUGH = 50
"""Injections of a run, from which on every point must have failed: fewer may miss one."""

BUG, DECISION = "bug", "decision on a fact"
"""Fails on orders of its own, as a bug does: what it fails for is parked, until it is replayed."""

_DECIDING = ("handler", "store load", "store save", "store waiting", "commit of facts")
POINTS: Mapping[str, tuple[str, ...]] = {
    "intake": ("send by intake", "send by intake-access", *_DECIDING),
    "triage": ("send by triage", "send by triage-access", *_DECIDING, "keys"),
    "partner-routing": (
        *("send by partner-routing", "send by partner-routing-access"),
        *(*_DECIDING, "keys", "commit of replies"),
    ),
    "audit": (
        *("send by audit-access", "handler", "index save", "index remember"),
        *("disk write", "disk sync", "disk replace", "memory"),
    ),
}
"""Each fails before what it does, and after."""


def point_of(failure: str) -> str:
    """The point of a failure such as `before store save`."""
    return failure.partition(" ")[2]


def never_failed(injected: Counter[str]) -> list[str]:
    """The points, each as `service: point`, that are not among the failures, each as `service: before point`."""
    failed = set()
    for each in injected:
        service, _, failure = each.partition(": ")
        failed.add(f"{service}: {point_of(failure)}")
    return sorted({f"{service}: {point}" for service, points in POINTS.items() for point in points} - failed)


def wrong(injected: Counter[str], injections: int, least: int) -> list[str]:
    """What a run of so many injections should have shown and has not; `least` failures in all."""
    lines = []
    never = never_failed(injected)
    if injections >= ENOUGH and never:
        lines.append(f"{injections} injections, and these points never failed: {', '.join(never)}")
    if injected.total() < least:
        lines.append(f"{injected.total()} failures were injected, not {least}")
    return lines
