"""A decider small enough to know by heart: it links what it is given, refuses, or fails on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import Linked, TriageFact
from services.chassis.deciding import ClockRanOut, Command, Context, Input, Refused, Upstream, Why

OTHER = "00000000-0000-4000-8000-000000000000"
TOO_LONG = "x" * 201
"""More than a `linked` fact may say."""


@dataclass(frozen=True, slots=True)
class State:
    """How many facts of each writer were folded, and the clock that runs."""

    upstream: int = 0
    own: tuple[str, ...] = ()
    clock: datetime | None = None


class LinkingDecider:
    """Each upstream fact and each command leads to one `linked` fact. `broken` makes upstream facts and clocks
    fail, `wrong` has them lead to a fact that breaks its rules."""

    writer = "triage"
    fact_type: type[Message] = TriageFact
    upstream_types: Mapping[str, type[Message]] = {"intake": IntakeFact}
    opened_by = "intake"

    def __init__(self) -> None:
        self.broken = False
        self.wrong = False
        self.clock: datetime | None = None

    def initial(self) -> State:
        """See Decider."""
        return State()

    def evolve(self, state: State, writer: str, fact: Any) -> State:
        """See Decider."""
        if writer == "intake":
            return replace(state, upstream=state.upstream + 1)
        by = fact.linked.by
        return replace(state, own=(*state.own, by), clock=None if by == "clock" else self.clock)

    def decide(self, state: State, given: Input, context: Context) -> Sequence[TriageFact]:
        """See Decider."""
        match given:
            case Upstream():
                if self.broken:
                    raise ValueError("a bug that quotes Jane Canary")
                return [_linked(TOO_LONG if self.wrong else f"upstream {state.upstream}")]
            case ClockRanOut():
                if self.broken:
                    raise ValueError("a bug that quotes Jane Canary")
                over = state.clock is not None and state.clock <= context.now
                return [_linked(TOO_LONG if self.wrong else "clock")] if over else []
            case Command():
                return self._command(state, given)
            case _:
                raise TypeError(type(given).__name__)

    def view(self, state: State) -> dict[str, Any]:
        """See Decider."""
        return {"clocks": [{"name": "soon", "at": state.clock}] if state.clock else []}

    def _command(self, state: State, given: Command) -> Sequence[TriageFact]:
        by = given.body.by  # type: ignore[attr-defined]  # commands are Linked messages here
        match by:
            case "refuse":
                raise Refused(Why.ILLEGAL, "no", "yes", legal=["agree"])
            case "unknown":
                raise Refused(Why.UNKNOWN, "no such thing", "name another")
            case "bug":
                raise ValueError("a bug that quotes Jane Canary")
            case "nothing":
                return []
            case _:
                return [_linked(by)]


def _linked(by: str) -> TriageFact:
    return TriageFact(linked=Linked(other_referral_id=OTHER, by=by, score=1))
