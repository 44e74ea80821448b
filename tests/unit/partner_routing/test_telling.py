"""On every path by which a referral ends, whoever raised it learns what happened in words fit for their role.

The paths come from the life-cycle and from the reasons and outcomes of the language, so that one that is added without
words fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from safeguarding.v1 import access_control_pb2, intake_pb2, partner_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import (
    ROLE_OFFICER,
    ROLE_PARTNER,
    ROLE_PUBLIC,
    ROLE_SYSTEM,
    ROLE_VOLUNTEER,
    Role,
)
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, SERVICE_KIND_HOUSING, Actor
from safeguarding.v1.partner_pb2 import (
    AUDIENCE_RAISER,
    NOT_TOLD_REASON_ANONYMOUS,
    FailureReason,
    Outcome,
)
from safeguarding.v1.routing_pb2 import RecallRequest
from safeguarding.v1.triage_pb2 import NoFurtherActionReason, TriageFact
from services.chassis.deciding import Refused, Why
from services.lifecycle import LEG_MOVES, REFERRAL_MOVES, Leg, Referral
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.domain.leg import taken_up
from services.partner_routing.domain.telling import ACTED_ON, ENDS, FAILURES, JOINED, NOTHING_MORE, outcome_words
from tests.unit.domains import DESK, NOON, SUPERVISOR, Life, kinds_of, raised, sealed
from tests.unit.partner_routing.life import (
    ACCEPTED,
    HOUR,
    KNOWN_ALREADY,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    read_outcome,
    reply,
    request,
    routed,
)

RAISERS = {
    "an officer": Actor(role=ROLE_OFFICER, id="pc-1", kind="response_officer"),
    "a Special Constable": Actor(role=ROLE_OFFICER, id="sc-1", kind="special_constable"),
    "a Police Support Volunteer": Actor(role=ROLE_VOLUNTEER, id="psv-1", kind="police_support_volunteer"),
    "a Cadet": Actor(role=ROLE_VOLUNTEER, id="cadet-1", kind="police_cadet"),
    "Neighbourhood Watch": Actor(role=ROLE_VOLUNTEER, id="nw-1", kind="neighbourhood_watch"),
    "Farm Watch": Actor(role=ROLE_VOLUNTEER, id="fw-1", kind="farm_watch"),
    "Community SpeedWatch": Actor(role=ROLE_VOLUNTEER, id="sw-1", kind="community_speedwatch"),
    "the public": Actor(role=ROLE_PUBLIC, id="public-1"),
    "a partner": Actor(role=ROLE_PARTNER, id="school-1", kind="school"),
    "a system": Actor(role=ROLE_SYSTEM, id="system-1", kind="school_system"),
}
PROFESSIONALS = {"an officer", "a Special Constable", "a partner", "a system"}
DETAILS = {*ENDS.values(), *FAILURES.values(), JOINED} | {
    said.professional for said in NOTHING_MORE.values() if said.professional.rstrip(".") not in said.other
}
"""What only those learn whose work it is."""
Play = Callable[[Life], None]


@dataclass(frozen=True)
class Path:
    """One way to an end: what leads there, and what a professional learns of it."""

    play: Play
    says: str
    ends: Leg | None = None
    """Where it leaves the leg; None where there was none."""


def _leg(life: Life) -> None:
    life.hear("triage", routed(request()), DESK)


def _completed(outcome: Any) -> Play:
    def play(life: Life) -> None:
        _leg(life)
        reply(life, ACCEPTED)
        reply(life, {"outcome": partner_pb2.OutcomeReply(outcome=outcome)})

    return play


def _failed(reason: Any) -> Play:
    def play(life: Life) -> None:
        _leg(life)
        reply(life, ACCEPTED)
        reply(life, {"failed": partner_pb2.FailedReply(reason=reason)})

    return play


def _joined(life: Life) -> None:
    _leg(life)
    reply(life, KNOWN_ALREADY)


def _nothing(reason: Any, *came_back: str) -> TriageFact:
    taken = triage_pb2.NoFurtherActionTaken(reason=reason, came_back_leg_ids=came_back)
    return TriageFact(no_further_action=taken)


def _given_up(life: Life) -> None:
    """The lead agency was silent too, and the desk gives up."""
    _leg(life)
    life.run_out("soon", NOON + HOUR)
    last = list(life.state.legs)[-1]
    life.run_out("soon", NOON + 2 * HOUR)
    life.hear("triage", _nothing(1, last), DESK)


def _recalled(life: Life) -> None:
    """The desk takes its only leg back, and then no further action."""
    _leg(life)
    life.say(RecallRequest(leg_id=LEG, reason="mistake"), DESK)
    life.hear("triage", _nothing(1, LEG), DESK)


def _declined(life: Life) -> None:
    """Contact is unsafe, and the desk decides that nothing more is done."""
    _leg(life)
    reply(life, {"declined": partner_pb2.DeclinedReply(reason=partner_pb2.DECLINE_REASON_UNSAFE_TO_CONTACT)})
    life.hear("triage", _nothing(1, LEG), DESK)


def _two_ends(life: Life) -> None:
    """One leg is completed, the other taken back."""
    life.hear("triage", routed(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING)), DESK)
    life.say(RecallRequest(leg_id=OTHER_LEG, reason="mistake"), DESK)
    reply(life, ACCEPTED)
    reply(life, SUPPORTED)


def _paths() -> Iterator[tuple[str, Path]]:
    for outcome in filter(None, Outcome.values()):
        yield f"completed: {Outcome.Name(outcome)}", Path(_completed(outcome), ENDS[outcome], Leg.COMPLETED)
    for failed in filter(None, FailureReason.values()):
        yield f"failed: {FailureReason.Name(failed)}", Path(_failed(failed), FAILURES[failed], Leg.FAILED)
    for why in filter(None, NoFurtherActionReason.values()):
        play = _no_action(why)
        yield f"no further action: {NoFurtherActionReason.Name(why)}", Path(play, NOTHING_MORE[why].professional)
    below = NOTHING_MORE[1].professional
    yield "joined to work that goes on", Path(_joined, JOINED, Leg.DECLINED)
    yield "declined as unsafe and given up", Path(_declined, below, Leg.DECLINED)
    yield "silent and given up", Path(_given_up, below, Leg.EXPIRED)
    yield "recalled and given up", Path(_recalled, below, Leg.RECALLED)
    yield "one completed, one recalled", Path(_two_ends, ENDS[Outcome.OUTCOME_SUPPORTED], Leg.COMPLETED)


def _no_action(why: Any) -> Play:
    def play(life: Life) -> None:
        life.hear("triage", _nothing(why), DESK)

    return play


PATHS: Mapping[str, Path] = dict(_paths())


def life_of(raiser: Actor, path: Path, *, anonymous: bool = False) -> Life:
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], anonymous=anonymous), raiser)
    path.play(life)
    return life


def test_every_end_of_a_leg_and_of_a_referral_is_on_a_path() -> None:
    """An end is a state that no move leaves; a new one must come with a path and its words."""
    left = {source for move in LEG_MOVES if move.target is not None for source in move.sources}
    ends = {move.target for move in LEG_MOVES if move.target is not None} - left
    closing = {source for move in REFERRAL_MOVES if move.target is Referral.CLOSED for source in move.sources}

    assert {path.ends for path in PATHS.values() if path.ends is not None} == ends
    assert closing == {Referral.ROUTED, Referral.NO_FURTHER_ACTION}
    assert any(path.ends is None for path in PATHS.values()), "no further action, without a leg"


def test_every_reason_and_outcome_of_the_language_has_words_of_its_own() -> None:
    assert set(ENDS) == set(filter(None, Outcome.values()))
    assert set(FAILURES) == set(filter(None, FailureReason.values()))
    assert set(NOTHING_MORE) == set(filter(None, NoFurtherActionReason.values()))
    assert len({*ENDS.values(), *FAILURES.values(), JOINED}) == len(ENDS) + len(FAILURES) + 1


def test_every_role_that_may_raise_a_concern_is_tried() -> None:
    service = intake_pb2.DESCRIPTOR.services_by_name["Intake"]
    roles = service.methods_by_name["RaiseConcern"].GetOptions().Extensions[access_control_pb2.roles]

    assert {actor.role for actor in RAISERS.values()} == set(roles), [Role.Name(role) for role in roles]


@pytest.mark.parametrize("who", RAISERS)
@pytest.mark.parametrize("how", PATHS)
def test_whoever_raised_it_learns_what_happened_and_it_closes(how: str, who: str) -> None:
    raiser, path = RAISERS[who], PATHS[how]
    life = life_of(raiser, path)
    assert life.state.outcome_known

    words = outcome_words(life.state, raiser.role)

    assert words.endswith("."), "a sentence"
    if who in PROFESSIONALS:
        assert path.says in words
    else:
        assert not [detail for detail in DETAILS if detail in words], "that it was acted on, never details"
        assert (words == ACTED_ON) == any(map(taken_up, life.state.current))
    assert kinds_of(read_outcome(life, raiser)) == ["outcome_told", "closed"]


@pytest.mark.parametrize("how", PATHS)
def test_of_an_anonymous_raiser_it_is_recorded_why_they_were_not_told(how: str) -> None:
    life = life_of(RAISERS["the public"], PATHS[how], anonymous=True)

    assert life.state.not_told == {AUDIENCE_RAISER: NOT_TOLD_REASON_ANONYMOUS}
    assert life.state.closed


@pytest.mark.parametrize("how", PATHS)
def test_nobody_else_reads_it(how: str) -> None:
    life = life_of(RAISERS["an officer"], PATHS[how])

    with pytest.raises(Refused) as refused:
        read_outcome(life, RAISERS["a Cadet"])
    assert refused.value.why is Why.UNKNOWN


def test_what_should_never_have_been_is_hidden_from_its_raiser_too() -> None:
    """Entered in error is no end of a concern: there was none."""
    life = life_of(RAISERS["an officer"], PATHS["joined to work that goes on"])
    in_error = TriageFact(entered_in_error=triage_pb2.EnteredInError(note=sealed(5)))
    life.hear("triage", in_error, SUPERVISOR)

    with pytest.raises(Refused) as refused:
        read_outcome(life, RAISERS["an officer"])
    assert refused.value.why is Why.UNKNOWN
    assert outcome_words(life.state, ROLE_OFFICER) == ""


def test_a_reason_of_a_later_version_has_words_all_the_same() -> None:
    later: Any = 77
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]), RAISERS["an officer"])
    life.hear("triage", _nothing(later), DESK)

    assert "nothing more is needed" in outcome_words(life.state, ROLE_OFFICER)
