"""The demo from start to end: a fresh stack, the play, what is shown of it, and the count as the last line."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from safeguarding.v1.partner_pb2 import Offer
from services.cli import showing
from services.cli.demo import areas, run, show
from services.cli.demo.areas import AreaResult
from services.cli.demo.asked import Asked
from services.cli.demo.flows import Flow, chosen, told
from services.cli.demo.people import People
from services.cli.demo.play import Play
from services.cli.demo.run import Played
from services.cli.local.stack import Stack
from services.cli.scenario import raisings
from tests.e2e.checker import Verdict, check

PATIENCE, PATIENCE_EACH = 45.0, 0.25
"""Seconds that a run may take from the first concern, and those that each concern adds."""
WIDTH = 140
"""Columns where nobody watches."""


def hold(*, keep: bool, concerns: int, as_json: bool) -> bool:
    """Hold one demo; true where nothing was wrong."""
    # Ended from outside, it still stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = _console(stderr=as_json)
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="referrals-demo-"))
    stack = run.new_stack(root, ends_with=None if keep else os.getpid())
    watching = show.Watching(console)
    right = False
    try:
        people = People(stack)
        run.start(stack, people, watching.tell)
        patience = PATIENCE + PATIENCE_EACH * concerns
        play = Play(raisings(run.scenario(), concerns, uuid.uuid4().hex[:8]), patience, watching.tell)
        with watching.counting(play):
            played = run.play(stack, people, play)
        asked, played = run.ask(stack, people, play, played)
        came = areas.results(play.courses(), play.seen, asked)
        flows = _flows(play, asked)
        people.close()
        verdict = check(play.raisings, play.seen)
        right = not played.troubles and not verdict.faults()
        if as_json:
            showing.print_json(_document(verdict, played, came, flows, stack, time.monotonic() - began))
        else:
            _show(console, play, played, came, flows, verdict)
    finally:
        _leave(console, stack, keep=keep, right=right)
    if not as_json:
        console.print(f"took {time.monotonic() - began:.0f} s in all")
        typer.echo(verdict.line("demo"))
    return right


def _flows(play: Play, asked: Asked) -> list[Flow]:
    """One referral of each area, as it went."""
    offers: dict[str, dict[str, Offer]] = {}
    for read in play.seen.copies:
        if read.copy.HasField("offer"):
            offers.setdefault(read.copy.referral_id, {})[read.partner_id] = read.copy.offer
    return [
        told(course, asked.journeys[course.referral_id], offers.get(course.referral_id, {}))
        for course in chosen(play.courses())
        if course.referral_id in asked.journeys
    ]


def _show(
    console: Console,
    play: Play,
    played: Played,
    came: Sequence[AreaResult],
    flows: Sequence[Flow],
    verdict: Verdict,
) -> None:
    console.print(show.summary(play))
    console.print(show.areas(came))
    for flow in flows:
        console.print(show.flow(flow))
    if played.shown is not None:
        console.print(show.journey(*played.shown))
    show.result(console, verdict, played.troubles)


def _leave(console: Console, stack: Stack, *, keep: bool, right: bool) -> None:
    """Stop what was started; a home is kept where somebody wants it, or may want to see what went wrong."""
    home = stack.home.root
    if keep:
        console.print(f"left running: REFERRALS_HOME={home} referrals status, and at the end … referrals down")
        return
    stack.stop()
    if right:
        run.remove(stack)
    else:
        console.print(f"logs and data: {home}")


def _document(
    verdict: Verdict,
    played: Played,
    came: Sequence[AreaResult],
    flows: Sequence[Flow],
    stack: Stack,
    seconds: float,
) -> dict[str, object]:
    return {
        "line": verdict.line("demo"),
        "raised": verdict.raised,
        "demanded": len(verdict.demanded),
        "received": len(verdict.received),
        "closed": len(verdict.closed),
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "repeated": verdict.repeated,
        "areas": [each.document() for each in came],
        "flows": [each.document() for each in flows],
        "faults": [*played.troubles, *map(str, verdict.faults())],
        "seconds": round(seconds, 1),
        "home": str(stack.home.root),
    }


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False)
    if console.is_terminal:
        return console
    return Console(stderr=stderr, highlight=False, markup=False, width=WIDTH)
