"""A case conference: who is invited, what each partner may know of it, and what was decided has a clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from safeguarding.v1 import common_pb2, partner_pb2, procedure_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
    SUBJECT_ROLE_CHILD,
    Actor,
)
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.intake_pb2 import Erased, IntakeFact
from safeguarding.v1.procedure_pb2 import STAGE_INITIAL_CONFERENCE, STAGE_PLAN_ENDED
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Command, Context, Refused, Why
from services.chassis.directory import Partner
from services.chassis.sealing import copy_info, new_key, open_with, seal
from services.partner_routing.conferences import may_have, minutes_of, shown_to
from services.partner_routing.copies import RoutingCopier
from services.partner_routing.domain import RoutingDecider, State
from services.partner_routing.domain.conferring import seen_by
from services.partner_routing.gather import may_need_keys
from services.partner_routing.views import inbox, journey
from tests.unit.domains import DESK, NOON, REFERRAL, SUPERVISOR, SYSTEM, Life, kinds_of, raised
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    HOUR,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    life_of,
    reply,
    request,
    routed,
)
from tests.unit.partner_routing.test_asking import Withholding

COUNCIL, HOMES = Actor(role=ROLE_PARTNER, id="council-a"), Actor(role=ROLE_PARTNER, id="homes")
KEY = new_key()
MINUTES = "Mrs Quillfeather keeps the younger boy"
SEALED = seal(KEY, REFERRAL, "narrative", FIELD_GROUP_NARRATIVE, 9, Narrative(text=MINUTES))
KEYS = {REFERRAL: {"narrative": KEY}}


def two_legs() -> Life:
    """A council and a housing association work on it."""
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(life, ACCEPTED)
    reply(life, ACCEPTED, "homes", OTHER_LEG)
    return life


def call(life: Life, legs: Sequence[str] = (), stage: Any = STAGE_INITIAL_CONFERENCE, after: timedelta = HOUR) -> Any:
    body = procedure_pb2.CallConferenceRequest(
        referral_id=REFERRAL, stage=stage, leg_ids=legs, agenda=[procedure_pb2.AgendaItem(topic="safety_plan")]
    )
    body.at.FromDatetime(life.now + after)
    return life.say(body, DESK)


def called(life: Life, legs: Sequence[str] = ()) -> str:
    return str(call(life, legs)[0].conference_called.conference_id)


def decision(owner: str = LEG, action: str = "visit_weekly", by: datetime = NOON + 3 * HOUR) -> Any:
    found = procedure_pb2.ConferenceDecision(action=action, owner_leg_id=owner)
    found.by.FromDatetime(by)
    return found


def held(
    life: Life, conference: str, decisions: Sequence[Any] = (), *, minutes: Any = SEALED, **said: Any
) -> list[Any]:
    body = procedure_pb2.RecordConferenceRequest(
        referral_id=REFERRAL, conference_id=conference, decisions=decisions, **said
    )
    return life.say(body, DESK, minutes)


def done(life: Life, conference: str, number: int = 1, actor: Actor = DESK) -> list[Any]:
    body = procedure_pb2.CompleteDecisionRequest(referral_id=REFERRAL, conference_id=conference, number=number)
    return life.say(body, actor)


def refusal(act: Any, *given: Any, **named: Any) -> Refused:
    life = given[0]
    before = life.state
    with pytest.raises(Refused) as refused:
        act(*given, **named)
    assert refused.value.right
    assert life.state == before
    return refused.value


def watched(life: Life) -> dict[str, datetime]:
    return {clock["name"]: clock["at"] for clock in life.decider.view(life.state)["clocks"]}


def test_every_partner_that_holds_an_open_leg_is_invited_and_no_other() -> None:
    life = two_legs()
    facts = call(life)
    assert kinds_of(facts) == ["conference_called", "conference_invited", "conference_invited"]
    assert [fact.conference_invited.leg_id for fact in facts[1:]] == [LEG, OTHER_LEG]

    reply(life, SUPPORTED, "homes", OTHER_LEG)

    assert [fact.conference_invited.leg_id for fact in call(life)[1:]] == [LEG]
    assert [fact.conference_invited.leg_id for fact in call(life, [LEG, LEG])[1:]] == [LEG]


def test_a_conference_that_cannot_be_is_refused_and_changes_nothing() -> None:
    life = two_legs()
    reply(life, SUPPORTED, "homes", OTHER_LEG)

    assert refusal(call, life, [OTHER_LEG]).why is Why.ILLEGAL
    assert refusal(call, life, ["33333333-3333-4333-8333-333333333333"]).why is Why.UNKNOWN
    assert refusal(call, life, stage=STAGE_PLAN_ENDED).field == "stage"
    assert refusal(call, life, after=-HOUR).field == "at"
    assert refusal(call, life_of()).why is Why.ILLEGAL


def test_what_was_held_is_recorded_once_and_reaches_its_stage() -> None:
    life = two_legs()
    conference = called(life)

    facts = held(life, conference, [decision()], attended_leg_ids=[LEG], leg_id=LEG)

    assert kinds_of(facts) == ["conference_held", "stage_reached", "minutes_passed", "minutes_passed"]
    assert facts[1].stage_reached.stage == STAGE_INITIAL_CONFERENCE
    assert {each.clock for each in facts[1].stage_reached.started} == {"core_group", "plan_review"}
    assert facts[0].conference_held.minutes == SEALED
    assert refusal(held, life, conference).why is Why.ILLEGAL


def test_who_was_not_invited_neither_came_nor_does_anything() -> None:
    life = two_legs()
    conference = called(life, [LEG])

    assert refusal(held, life, conference, attended_leg_ids=[OTHER_LEG]).field == "attended_leg_ids"
    assert refusal(held, life, conference, [decision(OTHER_LEG)]).field == "decisions"
    assert refusal(held, life, conference, [decision(by=NOON)]).field == "decisions"
    assert refusal(held, life, OTHER_LEG).field == "conference_id"


def test_minutes_go_as_far_as_each_agreement_lets_them() -> None:
    life = two_legs()
    conference = called(life)
    life.rules = Withholding()

    facts = held(life, conference)

    passed = [fact.minutes_passed for fact in facts if fact.WhichOneof("fact") == "minutes_passed"]
    assert [(each.given, each.rule) for each in passed] == [(False, "no_narrative")] * 2


def test_who_ended_its_leg_before_is_told_nothing_more() -> None:
    life = two_legs()
    conference = called(life)
    reply(life, SUPPORTED, "homes", OTHER_LEG)

    facts = held(life, conference)

    assert [fact.minutes_passed.leg_id for fact in facts if fact.WhichOneof("fact") == "minutes_passed"] == [LEG]


def test_without_words_there_are_no_minutes_to_give() -> None:
    life = two_legs()

    facts = held(life, called(life, [LEG]), minutes=None)

    assert facts[-1].minutes_passed == procedure_pb2.MinutesPassed(
        conference_id=facts[0].conference_held.conference_id, leg_id=LEG, given=False, rule="none_written"
    )


def test_what_was_decided_runs_out_its_owner_is_told_and_done_ends_it() -> None:
    life = two_legs()
    conference = called(life)
    held(life, conference, [decision(), decision("", "tell_school", NOON + 4 * HOUR)])
    assert watched(life)["conference_action"] in (NOON + 1.5 * HOUR, NOON + 2 * HOUR)

    facts = life.run_out("conference_action", NOON + 3 * HOUR)
    first = [fact.clock_reached for fact in facts if fact.clock_reached.leg_id == LEG]
    assert [each.percent for each in first] == [50, 80, 100]
    assert [each.percent for fact in facts if not (each := fact.clock_reached).leg_id] == [50]
    [item] = inbox([life.document], "council-a", 10)
    assert ("conference_action", 100) in {(each.deadline.clock, each.percent) for each in item.reached}

    assert kinds_of(done(life, conference)) == ["decision_done"]
    assert refusal(done, life, conference).why is Why.ILLEGAL
    assert refusal(done, life, conference, 3).why is Why.UNKNOWN
    done(life, conference, 2)
    assert "conference_action" not in watched(life)


def test_two_things_that_one_owner_does_by_one_time_are_told_of_once() -> None:
    life = two_legs()
    held(life, called(life), [decision(), decision(action="see_the_home")])

    facts = life.run_out("conference_action", NOON + 3 * HOUR)

    assert [fact.clock_reached.percent for fact in facts] == [50, 80, 100]
    assert life.run_out("conference_action", NOON + 4 * HOUR) == []


def test_a_partner_says_that_its_own_is_done_and_learns_of_no_other() -> None:
    life = two_legs()
    conference = called(life)
    held(life, conference, [decision(), decision("", "tell_school")])

    foreign = refusal(done, life, conference, 1, HOMES)
    nobody = refusal(done, life_of(), conference, 1, HOMES)
    assert (foreign.why, foreign.wrong, foreign.field) == (Why.UNKNOWN, nobody.wrong, nobody.field)
    assert refusal(done, life, conference, 2, COUNCIL).why is Why.UNKNOWN
    assert kinds_of(done(life, conference, 1, COUNCIL)) == ["decision_done"]


def test_a_partner_reads_its_own_part_and_never_who_else_takes_part() -> None:
    life = two_legs()
    held(life, called(life), [decision(), decision(OTHER_LEG, "find_a_home")], attended_leg_ids=[LEG, OTHER_LEG])
    [(conference, leg)] = seen_by(life.state, "homes")

    found = shown_to(life.state, conference, leg.id, minutes_of(conference, KEYS[REFERRAL], REFERRAL))

    assert LEG not in str(found)
    assert (list(found.leg_ids), list(found.attended_leg_ids)) == ([OTHER_LEG], [OTHER_LEG])
    assert [(each.action, each.yours) for each in found.decisions] == [("visit_weekly", False), ("find_a_home", True)]
    assert (found.minutes, found.rule) == (MINUTES, "what")


def test_who_declined_or_was_shielded_from_since_reads_it_no_more() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    reply(life, ACCEPTED, "homes", OTHER_LEG)
    held(life, called(life))
    reply(life, FULL)
    assert seen_by(life.state, "council-a") == []

    shield = common_pb2.Shield(part=common_pb2.SHIELDED_PART_PERSON, subject=1, partner_id="homes")
    life.say(routing_pb2.ShieldRequest(referral_id=REFERRAL, shield=shield, reason="risk"), DESK)

    [(conference, leg)] = seen_by(life.state, "homes")
    assert not may_have(life.state, conference, leg.id)
    assert shown_to(life.state, conference, leg.id, MINUTES).minutes == ""


def opened(before: State, facts: list[Any]) -> list[partner_pb2.Copy]:
    """The copies of these facts that the housing association's own key opens."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()

    class Rules:
        def partner(self, partner_id: str) -> Partner | None:
            known = Partner("homes", "Homes", "housing", (), (), public, kafka=True, lead=False)
            return known if partner_id == "homes" else None

    found = []
    for copy in RoutingCopier().copies(before, facts, Context(NOON, Rules(), {"keys": KEYS}, SYSTEM)):
        record = partner_pb2.PartnerRecord.FromString(copy.value)
        info = copy_info("homes", record.leg_id, record.event_id)
        found.append(partner_pb2.Copy.FromString(open_with(private.private_bytes_raw(), info, record.sealed_copy)))
    return found


def test_a_partner_with_kafka_gets_the_invitation_and_then_what_was_decided_and_said() -> None:
    life = two_legs()
    before = life.state
    facts = call(life)
    conference = facts[0].conference_called.conference_id
    [invitation] = opened(before, facts)

    assert invitation.leg_id == OTHER_LEG
    assert [item.topic for item in invitation.conference.conference.agenda] == ["safety_plan"]
    assert not invitation.conference.conference.HasField("held_at")

    before = life.state
    facts = held(life, conference, [decision(OTHER_LEG, "find_a_home")])
    [notice] = opened(before, facts)

    found = notice.conference.conference
    assert (found.conference_id, found.minutes) == (conference, MINUTES)
    assert [(each.action, each.yours) for each in found.decisions] == [("find_a_home", True)]
    [passed] = [fact.minutes_passed for fact in facts if fact.minutes_passed.leg_id == OTHER_LEG]
    assert passed.copy_sha256


def test_minutes_are_withheld_from_whom_anything_is_shielded() -> None:
    life = two_legs()
    conference = called(life)
    shield = common_pb2.Shield(
        part=common_pb2.SHIELDED_PART_ADDRESS, subject=1, partner_id="homes", account_is_free_of_it=True
    )
    life.say(routing_pb2.ShieldRequest(referral_id=REFERRAL, shield=shield, reason="risk"), DESK)
    before = life.state

    facts = held(life, conference)

    passed = [fact.minutes_passed for fact in facts if fact.WhichOneof("fact") == "minutes_passed"]
    assert [(each.leg_id, each.given, each.rule) for each in passed] == [
        (LEG, True, "what"),
        (OTHER_LEG, False, "shielded"),
    ]
    [notice] = opened(before, facts)
    assert (notice.conference.conference.minutes, notice.conference.conference.rule) == ("", "shielded")


def test_what_gives_minutes_has_its_keys_opened_before() -> None:
    body = procedure_pb2.RecordConferenceRequest(referral_id=REFERRAL)
    assert may_need_keys(Command(REFERRAL, "key", DESK, body, b""))
    assert not may_need_keys(Command(REFERRAL, "key", DESK, procedure_pb2.CallConferenceRequest(), b""))


def test_hidden_with_the_referral_and_erased_with_the_narrative() -> None:
    life = two_legs()
    conference = called(life)
    held(life, conference, [decision()])
    facts = life.hear("intake", IntakeFact(erased=Erased(subject=1)))
    assert all(fact.erasure_told.narrative for fact in facts), "the minutes go with it"
    assert minutes_of(life.state.procedures.conferences[conference], {}, REFERRAL) == ""

    life.hear("triage", TriageFact(entered_in_error=triage_pb2.EnteredInError()), SUPERVISOR)

    assert seen_by(life.state, "council-a") == []
    assert refusal(done, life, conference).why is Why.UNKNOWN
    assert watched(life).keys() <= {"recall"}


@pytest.mark.parametrize("given", [True, False])
def test_who_had_what_was_said_only_as_minutes_is_told_to_delete_it(given: bool) -> None:
    life = Life(RoutingDecider(), Withholding())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    life.hear("triage", routed(request()), DESK)
    reply(life, ACCEPTED)
    conference = called(life)
    life.rules = Area() if given else Withholding()
    held(life, conference)

    told = life.hear("intake", IntakeFact(erased=Erased(subject=1)))

    assert [fact.erasure_told.narrative for fact in told] == ([True] if given else [])


def test_the_journey_shows_it_to_the_desk_without_what_was_said() -> None:
    life = two_legs()
    held(life, called(life), [decision()], attended_leg_ids=[LEG])

    [found] = journey(life.document).conferences

    assert (list(found.leg_ids), list(found.attended_leg_ids)) == ([LEG, OTHER_LEG], [LEG])
    assert [(each.action, each.owner_leg_id, each.done) for each in found.decisions] == [("visit_weekly", LEG, False)]
    assert found.held_at.ToDatetime(UTC) == NOON
    assert found.minutes == ""
