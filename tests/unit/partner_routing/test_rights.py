"""The rights of a victim follow from what is known, a person adds or strikes them, and clocks start from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, routing_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
    CONCERN_KIND_DOMESTIC_ABUSE,
    CONCERN_KIND_HATE_CRIME,
    CONCERN_KIND_VICTIM_SUPPORT,
    LAWFUL_BASIS_CONSENT,
    SERVICE_KIND_VICTIM_SUPPORT,
    SUBJECT_ROLE_BUSINESS,
    SUBJECT_ROLE_CHILD,
    SUBJECT_ROLE_SUSPECT,
    SUBJECT_ROLE_VICTIM,
    SUBJECT_ROLE_WITNESS,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.deciding import Refused, Why
from services.chassis.directory import Partner
from services.partner_routing.area import load_stated, snapshot
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.views import in_words, journey
from tests.unit.domains import DESK, NOON, REFERRAL, Life, kinds_of, raised, sealed
from tests.unit.partner_routing.life import request, routed

FOLDER = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
STATED = load_stated(FOLDER)
VICTIMS_FIRST = Partner("victims-first", "V", "charity", ("victim_support",), ("bristol",), b"", True, True)
FROM_REPORT = [1, 2, 3, 4, 5, 6, 7, 12]
OF_A_BUSINESS = [1, 2, 3, 6, 7, 12]
REFERRAL_ENDS = datetime(2026, 11, 25, tzinfo=UTC)
"""Two working days after Friday noon."""


def life_of(
    kind: Any = CONCERN_KIND_VICTIM_SUPPORT, signs: Signs | None = None, roles: Sequence[Any] = (SUBJECT_ROLE_VICTIM,)
) -> tuple[Life, list[Any]]:
    life = Life(RoutingDecider(), snapshot((VICTIMS_FIRST,), STATED))
    return life, life.hear("intake", raised([kind], signs, roles))


def record(life: Life, subject: int = 1, **step: Any) -> list[Any]:
    said = routing_pb2.VictimStep(subject=subject, **step)
    return life.say(routing_pb2.RecordVictimStepRequest(referral_id=REFERRAL, step=said), DESK)


def add(life: Life, right: int, reason: str = "as_they_asked") -> list[Any]:
    return record(life, right_added=routing_pb2.RightAdded(right=right, reason=reason))


def strike(life: Life, right: int, reason: str = "no_crime_was_done") -> list[Any]:
    return record(life, right_struck=routing_pb2.RightStruck(right=right, reason=reason))


def happened(life: Life, event: Any) -> routing_pb2.VictimRecorded:
    [fact, *_] = record(life, event_happened=routing_pb2.EventHappened(event=event))
    found: routing_pb2.VictimRecorded = fact.victim_recorded
    return found


def shown(life: Life, number: int = 1) -> routing_pb2.JourneyVictim:
    found = journey(life.document)
    in_words(found, STATED.victims)
    return next(victim for victim in found.victims if victim.subject == number)


def applying(life: Life, number: int = 1) -> list[int]:
    return [right.number for right in shown(life, number).applies if not right.struck]


def watched(life: Life) -> dict[str, Any]:
    return {clock["name"]: clock["at"] for clock in life.decider.view(life.state)["clocks"]}


def test_what_is_raised_suggests_the_rights_of_each_victim_and_business_and_of_nobody_else() -> None:
    life, facts = life_of(roles=[SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_BUSINESS, SUBJECT_ROLE_SUSPECT])

    assert kinds_of(facts) == ["rights_suggested", "rights_suggested"]
    assert (applying(life, 1), applying(life, 2)) == (FROM_REPORT, OF_A_BUSINESS)
    assert {fact.header.actor.id for fact in facts} == {"partner-routing"}


def test_each_right_is_shown_with_its_words_and_its_source() -> None:
    life, _ = life_of()

    for right in shown(life).applies:
        assert right.words
        assert right.source
        assert right.confirmed


@pytest.mark.parametrize(
    ("kind", "signs", "groups"),
    [
        (CONCERN_KIND_VICTIM_SUPPORT, Signs(), []),
        (CONCERN_KIND_HATE_CRIME, Signs(), ["most_serious_crime"]),
        (CONCERN_KIND_DOMESTIC_ABUSE, Signs(weapon=True), ["most_serious_crime", "intimidated"]),
        (CONCERN_KIND_VICTIM_SUPPORT, Signs(care_and_support_needs=True), ["vulnerable"]),
        (CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, Signs(complaints_in_six_months=3), ["persistently_targeted"]),
        (CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, Signs(complaints_in_six_months=2), []),
    ],
    ids=["nobody", "gravest crime", "gravest crime and in fear", "vulnerable", "targeted again and again", "not yet"],
)
def test_who_has_enhanced_rights_follows_from_the_kind_and_the_signs(
    kind: Any, signs: Signs, groups: list[str]
) -> None:
    life, _ = life_of(kind, signs)

    assert [group.id for group in shown(life).enhanced_by] == groups
    assert shown(life).enhanced == bool(groups)
    assert not any(group.confirmed for group in shown(life).enhanced_by), "the groups are named, their signs are ours"
    assert all(group.unconfirmed_reason for group in shown(life).enhanced_by)


def test_a_child_in_an_abusive_home_has_a_victims_rights_and_the_reason_is_shown() -> None:
    life, [fact] = life_of(CONCERN_KIND_DOMESTIC_ABUSE, roles=[SUBJECT_ROLE_CHILD, SUBJECT_ROLE_SUSPECT])

    assert fact.rights_suggested.subject == 1
    assert applying(life) == FROM_REPORT
    assert shown(life).victim_by.id == "child_in_abusive_home"
    assert (shown(life).victim_by.confirmed, bool(shown(life).victim_by.words)) == (False, True)
    assert {group.id for group in shown(life).enhanced_by} == {"most_serious_crime", "vulnerable"}
    record(life, contact_named=routing_pb2.ContactNamed(contact_id="officer-7"))
    assert shown(life).contact_id == "officer-7"


def test_whoever_witnesses_a_crime_has_a_victims_rights_and_of_what_is_none_they_have_not() -> None:
    life, _ = life_of(CONCERN_KIND_HATE_CRIME, roles=[SUBJECT_ROLE_WITNESS])
    assert (shown(life).victim_by.id, shown(life).victim_by.confirmed) == ("witness_of_crime", False)

    assert life_of(CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, roles=[SUBJECT_ROLE_WITNESS])[1] == []


def test_a_child_of_another_concern_is_no_victim_of_it() -> None:
    life, facts = life_of(CONCERN_KIND_VICTIM_SUPPORT, roles=[SUBJECT_ROLE_CHILD])

    assert facts == []
    assert not journey(life.document).victims
    with pytest.raises(Refused, match="no victim has this number"):
        record(life, contact_named=routing_pb2.ContactNamed(contact_id="officer-7"))


def test_a_business_has_no_enhanced_rights() -> None:
    life, _ = life_of(CONCERN_KIND_HATE_CRIME, roles=[SUBJECT_ROLE_BUSINESS])

    assert not shown(life).enhanced


def test_what_is_learned_later_is_suggested_then_and_nothing_twice() -> None:
    life, _ = life_of()
    learned = intake_pb2.InformationSupplied(information=sealed(5, version=2), signs=Signs(weapon=True))

    facts = life.hear("intake", IntakeFact(information_supplied=learned))

    [fact] = [each for each in facts if each.WhichOneof("fact") == "rights_suggested"]
    assert [group.id for group in fact.rights_suggested.enhanced_by] == ["intimidated"]
    assert not fact.rights_suggested.rights


def test_after_a_charge_the_rights_of_a_trial_apply() -> None:
    life, _ = life_of()

    happened(life, routing_pb2.CASE_EVENT_CHARGE)
    assert applying(life) == [*FROM_REPORT[:-1], 8, 9, 10, 12]
    happened(life, routing_pb2.CASE_EVENT_COURT)

    assert applying(life) == list(range(1, 13))


@pytest.mark.parametrize(
    ("kind", "clock"),
    [(CONCERN_KIND_VICTIM_SUPPORT, "victim_update"), (CONCERN_KIND_HATE_CRIME, "victim_update_enhanced")],
)
def test_the_clock_of_an_update_starts_from_the_right_under_which_they_are_told(kind: Any, clock: str) -> None:
    life, _ = life_of(kind)

    arrest, court = (happened(life, event) for event in (routing_pb2.CASE_EVENT_ARREST, routing_pb2.CASE_EVENT_COURT))

    assert (arrest.update_by.clock, arrest.update_right) == (clock, 6)
    assert (court.update_by.clock, court.update_right) == (clock, 9)
    assert arrest.update_by.unconfirmed_reason


def test_a_right_that_was_struck_has_no_clock_and_what_waited_under_it_waits_no_more() -> None:
    life, _ = life_of()
    happened(life, routing_pb2.CASE_EVENT_ARREST)
    assert "victim_update" in watched(life)

    strike(life, 6)

    assert "victim_update" not in watched(life)
    assert "update" not in shown(life).to_do
    assert not happened(life, routing_pb2.CASE_EVENT_BAIL).HasField("update_by")
    assert happened(life, routing_pb2.CASE_EVENT_COURT).update_right == 9, "another right's clock is its own"


def test_the_referral_to_a_service_has_a_clock_from_the_report_that_warns_and_breaches() -> None:
    life, [fact] = life_of()
    [right] = [right for right in fact.rights_suggested.rights if right.HasField("until")]
    assert (right.number, right.until.clock, right.until.at.ToDatetime(UTC)) == (4, "victim_referral", REFERRAL_ENDS)
    assert "refer" in shown(life).to_do

    facts = life.run_out("victim_referral", REFERRAL_ENDS)

    assert [each.clock_reached.percent for each in facts] == [50, 80, 100]
    assert "refer" in shown(life).to_do, "a breach lies over it"
    assert "victim_referral" not in watched(life)


def test_two_victims_of_one_report_have_one_clock_that_is_told_once() -> None:
    life, _ = life_of(roles=[SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_VICTIM])

    facts = life.run_out("victim_referral", REFERRAL_ENDS)

    assert [each.clock_reached.percent for each in facts] == [50, 80, 100]
    assert all("refer" in shown(life, number).to_do for number in (1, 2))


def test_the_state_is_the_same_in_whatever_order_the_writers_facts_are_folded() -> None:
    """A rebuild reads topics, each in its own order; and routing may hear of a concern after it was raised."""
    life, facts = life_of(CONCERN_KIND_HATE_CRIME)
    [raised_] = [IntakeFact.FromString(raw) for raw in life.document.facts["intake"]]
    raised_.header.occurred_at.FromDatetime(NOON - timedelta(minutes=3))
    decider = RoutingDecider()

    one = decider.evolve(decider.initial(), "intake", raised_)
    other = decider.initial()
    for fact in facts:
        one, other = decider.evolve(one, decider.writer, fact), decider.evolve(other, decider.writer, fact)
    other = decider.evolve(other, "intake", raised_)

    assert one == other
    assert decider.view(one) == decider.view(other)
    [clock] = decider.view(one)["clocks"]
    assert clock["at"] < watched(life)["victim_referral"], "it runs from the report"


def _leg(life: Life) -> None:
    asked = request(service=SERVICE_KIND_VICTIM_SUPPORT)
    asked.purpose, asked.respond_clock, asked.basis = "victim_support", "respond_victim_referral", LAWFUL_BASIS_CONSENT
    life.hear("triage", routed(asked), DESK)


@pytest.mark.parametrize(
    "meet",
    [_leg, lambda life: record(life, referred=routing_pb2.VictimReferred()), lambda life: strike(life, 4, "said_no")],
    ids=["a leg to a victim service", "a person recorded it", "the right was struck"],
)
def test_it_ends_once_they_are_referred_or_want_no_service(meet: Any) -> None:
    life, _ = life_of(signs=Signs(consents_to_support=True))
    assert "victim_referral" in watched(life)

    meet(life)

    assert "victim_referral" not in watched(life)
    assert "refer" not in shown(life).to_do
    assert not shown(life).HasField("refer_by")


def test_a_person_adds_and_strikes_with_a_reason_and_the_last_word_counts() -> None:
    life, _ = life_of(roles=[SUBJECT_ROLE_BUSINESS])
    add(life, 4)
    strike(life, 7, "wants_no_statement")
    strike(life, 4, "wants_no_service")
    add(life, 4, "changed_their_mind")

    rights = {right.number: right for right in shown(life).applies}
    assert applying(life) == [1, 2, 3, 4, 6, 12]
    assert (rights[4].added, rights[4].reason) == (True, "changed_their_mind")
    assert not rights[4].confirmed, "nothing that is known suggests it"
    assert (rights[7].struck, rights[7].reason) == (True, "wants_no_statement")


def test_a_person_s_word_on_enhanced_rights_goes_before_what_was_suggested() -> None:
    life, _ = life_of(CONCERN_KIND_HATE_CRIME)
    strike(life, 0, "does_not_want_them")
    assert (shown(life).enhanced, shown(life).enhanced_reason) == (False, "does_not_want_them")

    record(life, needs_assessed=routing_pb2.NeedsAssessed(enhanced=True))
    assert not shown(life).enhanced, "a reason was given, and none to take it back"
    add(life, 0, "asked_for_them_after_all")

    assert shown(life).enhanced


def test_rights_are_explained_once_all_that_apply_were() -> None:
    life, _ = life_of()
    record(life, rights_explained=routing_pb2.RightsExplained(rights=[1, 4]))
    assert "explain_rights" in shown(life).to_do

    record(life, rights_explained=routing_pb2.RightsExplained(rights=[2, 3, 5, 6, 7, 12]))

    assert "explain_rights" not in shown(life).to_do
    assert all(right.explained for right in shown(life).applies)


@pytest.mark.parametrize(
    "step",
    [
        {"right_added": routing_pb2.RightAdded(right=4, reason="x")},
        {"right_struck": routing_pb2.RightStruck(right=11, reason="x")},
        {"right_struck": routing_pb2.RightStruck(right=0, reason="x")},
    ],
    ids=["it applies already", "it does not apply", "they have no enhanced rights"],
)
def test_a_word_that_changes_nothing_is_refused(step: dict[str, Any]) -> None:
    life, _ = life_of()
    before = life.state

    with pytest.raises(Refused) as refused:
        record(life, **step)

    assert refused.value.why is Why.ILLEGAL
    assert refused.value.right
    assert life.state == before


@pytest.mark.parametrize("judge", [add, strike])
def test_a_right_is_judged_with_a_reason_or_not_at_all(judge: Any) -> None:
    life, _ = life_of(roles=[SUBJECT_ROLE_BUSINESS])

    with pytest.raises(Refused) as refused:
        judge(life, 4 if judge is add else 6, "")

    assert refused.value.why is Why.INVALID
    assert refused.value.field.endswith("reason")


def test_a_second_referral_is_refused() -> None:
    life, _ = life_of()
    record(life, referred=routing_pb2.VictimReferred())

    with pytest.raises(Refused, match="no referral waits"):
        record(life, referred=routing_pb2.VictimReferred())
