"""Intake's decider: who may say what about a referral, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact, ReferralState
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Command, Context, Input, Refused, Upstream, Why
from services.frozen import replace
from services.intake.domain.erasing import COMMANDS, UNPROTECTED, Protected, protected
from services.intake.domain.erasing import decide as decide_protection
from services.intake.domain.room import room_for_amended, room_for_supplied
from services.known import NOTHING, Known, learned

INTAKE = "intake"
TRIAGE = "triage"
MOST_FACTS = 200
"""A referral that was amended this often needs a conversation, not another record."""


@dataclass(frozen=True)
class Stand:
    """What triage's facts say of a referral, for its raiser."""

    state: int = ReferralState.REFERRAL_STATE_RAISED
    questions: tuple[triage_pb2.InformationRequested, ...] = ()
    """Whatever was asked, oldest first."""


@dataclass(frozen=True)
class State:
    """A referral as intake sees it: its own facts in `known`, triage's in `stand`."""

    known: Known = NOTHING
    stand: Stand = Stand()
    protected: Protected = UNPROTECTED
    erasures_requested: int = 0

    @property
    def where(self) -> int:
        """Where the referral stands, as ReferralState."""
        stand = self.stand
        if stand.state == ReferralState.REFERRAL_STATE_INFO_REQUESTED and not self.open_questions:
            return ReferralState.REFERRAL_STATE_IN_TRIAGE
        return stand.state

    @property
    def open_questions(self) -> list[triage_pb2.InformationRequested]:
        """The questions since which the raiser has supplied nothing."""
        return [asked for asked in self.stand.questions if self.known.supplied <= asked.supplied_before]

    def shown_to(self, actor: Actor) -> bool:
        """True for whoever raised it, unless it was entered in error: then it is kept and hidden."""
        return self.known.raised_by(actor) and self.stand.state != ReferralState.REFERRAL_STATE_ENTERED_IN_ERROR


_NEW = State()
"""For all: a state is never changed, and making one takes as long as a fact."""


class IntakeDecider:
    """See Decider."""

    writer = INTAKE
    fact_type: type[Message] = IntakeFact
    upstream_types: Mapping[str, type[Message]] = {TRIAGE: TriageFact}
    opened_by = ""

    def initial(self) -> State:
        """Nothing raised yet."""
        return _NEW

    def evolve(self, state: State, writer: str, fact: Any) -> State:
        """Own facts fill the record, triage's where it stands."""
        if writer == TRIAGE:
            return replace(state, stand=_stand(state.stand, fact))
        asked = fact.WhichOneof("fact") == "erasure_requested"
        return replace(
            state,
            known=learned(state.known, fact),
            protected=protected(state.protected, fact),
            erasures_requested=state.erasures_requested + asked,
        )

    def decide(self, state: State, given: Input, context: Context) -> Sequence[IntakeFact]:
        """Facts that follow from a raiser's command; triage's facts only change where a referral stands."""
        if isinstance(given, Upstream):
            return ()
        if not isinstance(given, Command):
            raise TypeError(f"intake takes no {type(given).__name__}")
        body: Any = given.body
        if isinstance(body, intake_pb2.RaiseConcernRequest):
            return _raise(state, given)
        if isinstance(body, COMMANDS):
            return decide_protection(state.known, state.protected, given, state.erasures_requested)
        _own(state, given.actor)
        if state.known.withdrawn:
            raise Refused(Why.ILLEGAL, "the concern was withdrawn", "raise it again as a new concern")
        if state.known.sequence >= MOST_FACTS:
            raise Refused(Why.ILLEGAL, "the referral has too many records", "speak to the triage desk")
        match body:
            case intake_pb2.AmendRequest():
                room_for_amended(state.known, given.sealed)
                return [IntakeFact(amended=given.sealed)]
            case intake_pb2.SupplyInformationRequest():
                room_for_supplied(state.known, given.sealed)
                return [IntakeFact(information_supplied=given.sealed)]
            case intake_pb2.WithdrawRequest():
                return [IntakeFact(withdrawn=intake_pb2.Withdrawn(reason=body.reason))]
            case _:
                raise TypeError(f"intake knows no {type(body).__name__}")

    def view(self, state: State) -> dict[str, Any]:
        """What queries need: the raiser; and the tombstones, so that no key comes back from a backup."""
        erased = {"erased": sorted(state.known.erased)} if state.known.erased else {}
        return {"raiser": state.known.raiser.id if state.known.raiser else None, **erased}


def _raise(state: State, given: Command) -> Sequence[IntakeFact]:
    if state.known.raised is not None:
        # The id derives from sender and key, so this is another sender's key meeting ours: not to be had by chance.
        raise Refused(Why.CONFLICT, "this referral exists", "choose a new idempotency key", field="idempotency_key")
    return [IntakeFact(raised=given.sealed)]


def _own(state: State, actor: Actor) -> None:
    """Foreign and absent answer alike."""
    if not state.shown_to(actor):
        raise Refused(Why.UNKNOWN, "no such referral of yours", "name a referral that you raised", field="referral_id")


def _stand(stand: Stand, fact: Any) -> Stand:
    match fact.WhichOneof("fact"):
        case "graded":
            known = stand.state not in (ReferralState.REFERRAL_STATE_RAISED,)
            return stand if known else replace(stand, state=ReferralState.REFERRAL_STATE_IN_TRIAGE)
        case "information_requested":
            questions = (*stand.questions, fact.information_requested)
            waits = stand.state in (ReferralState.REFERRAL_STATE_RAISED, ReferralState.REFERRAL_STATE_IN_TRIAGE)
            return Stand(ReferralState.REFERRAL_STATE_INFO_REQUESTED if waits else stand.state, questions)
        case "routed" | "taken_back":
            return replace(stand, state=ReferralState.REFERRAL_STATE_ROUTED)
        case "no_further_action":
            return replace(stand, state=ReferralState.REFERRAL_STATE_NO_FURTHER_ACTION)
        case "reopened":
            return replace(stand, state=ReferralState.REFERRAL_STATE_IN_TRIAGE)
        case "entered_in_error":
            return replace(stand, state=ReferralState.REFERRAL_STATE_ENTERED_IN_ERROR)
        case _:
            return stand
