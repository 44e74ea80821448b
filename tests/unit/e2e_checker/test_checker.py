"""The checker finds nothing in a run that was right, and names each thing that can go wrong."""

import pytest

from safeguarding.v1.intake_pb2 import REFERRAL_STATE_CLOSED, REFERRAL_STATE_ROUTED
from safeguarding.v1.partner_pb2 import Copy
from services.cli.scenario import Raising, raisings
from tests.e2e.checker import Acknowledged, Observations, OutcomeRead, Unreadable, check
from tests.unit.e2e_checker import rightly

ABUSE = "abuse-at-high-risk-with-children"
RECALL = "abuse-with-a-baby-and-a-leg-taken-back"
SILENT = "treatment-that-stays-silent"
ANONYMOUS = "anonymous-note-about-a-child"


@pytest.fixture
def raised() -> list[Raising]:
    return rightly.of(ABUSE, RECALL, SILENT, ANONYMOUS)


@pytest.fixture
def seen(raised: list[Raising]) -> Observations:
    return rightly.seen(raised)


def faults(raised: list[Raising], seen: Observations) -> list[str]:
    return [str(fault) for fault in check(raised, seen).faults()]


def kinds(raised: list[Raising], seen: Observations) -> set[str]:
    return {fault.kind for fault in check(raised, seen).faults()}


def test_whole_scenario_without_a_fault_counts_as_right() -> None:
    raised = raisings(rightly.SCENARIO, 60, "unit")

    verdict = check(raised, rightly.seen(raised))

    assert verdict.faults() == ()
    pairs = sum(len(raising.stated.partners) for raising in raised)
    assert verdict.line("demo") == (
        f"demo: 60 raised, {pairs} demanded, {pairs} received, 60 closed, 0 lost, 0 duplicated, 0 repeated"
    )


def test_concern_that_intake_never_acknowledged_is_a_fault_but_not_lost(
    raised: list[Raising], seen: Observations
) -> None:
    more = [*raised, *raisings(rightly.SCENARIO[3:4], 1, "another")]

    verdict = check(more, seen)

    assert [fault.kind for fault in verdict.faults()] == ["unacknowledged"]
    assert (verdict.raised, verdict.lost) == (4, 0)


def test_pair_that_was_demanded_and_not_received_is_lost(raised: list[Raising], seen: Observations) -> None:
    seen.copies = [read for read in seen.copies if read.partner_id != "meadowbank-school"]

    verdict = check(raised, seen)

    assert verdict.lost == 1
    assert len(verdict.demanded) - len(verdict.received) == 1
    assert "meadowbank-school never received" in faults(raised, seen)[0]


@pytest.mark.parametrize(
    ("state", "words"), [(REFERRAL_STATE_ROUTED, "the person was made safe"), (REFERRAL_STATE_CLOSED, "")]
)
def test_raiser_who_is_not_told_both_closed_and_the_outcome_has_lost_it(
    raised: list[Raising], seen: Observations, state: int, words: str
) -> None:
    seen.outcomes[2] = OutcomeRead(seen.outcomes[2].referral_id, state, words)

    verdict = check(raised, seen)

    assert verdict.lost == 1
    assert len(verdict.closed) == 3


def test_anonymous_concern_is_closed_by_its_recorded_reason_alone(raised: list[Raising], seen: Observations) -> None:
    anonymous = rightly.referral_of(raised[3])
    seen.untold.clear()
    seen.outcomes.append(OutcomeRead(anonymous, REFERRAL_STATE_CLOSED, "read by nobody knows whom"))

    verdict = check(raised, seen)

    assert verdict.lost == 1
    assert anonymous not in verdict.closed


def test_copy_for_a_partner_that_nobody_demanded_is_unexpected(raised: list[Raising], seen: Observations) -> None:
    seen.copies.append(rightly.changed(seen.copies[0], partner_id="farm-watch"))

    assert "farm-watch got offer of a referral on which nobody demanded it" in "".join(faults(raised, seen))


def test_copy_of_a_referral_that_nobody_raised_is_unexpected(raised: list[Raising], seen: Observations) -> None:
    stray = rightly.changed(seen.copies[0], referral_id="stray", leg_id="stray", event_id="stray")
    seen.copies.append(stray)

    assert "unexpected: stray" in faults(raised, seen)[0]


def test_second_leg_for_one_pair_is_unexpected(raised: list[Raising], seen: Observations) -> None:
    seen.copies.append(rightly.changed(seen.copies[0], leg_id="another", event_id="another"))

    assert "got 2 legs" in "".join(faults(raised, seen))


@pytest.mark.parametrize("content", ["recall", "expiry", "refusal", "conference"])
def test_notice_that_the_scenario_does_not_lead_to_is_unexpected(
    raised: list[Raising], seen: Observations, content: str
) -> None:
    first = seen.copies[0].copy
    notice = Copy(partner_id=first.partner_id, leg_id=first.leg_id, referral_id=first.referral_id, event_id="notice")
    getattr(notice, content).SetInParent()
    notice.occurred_at.seconds = 9
    seen.copies.append(rightly.read(notice))

    [fault] = faults(raised, seen)
    assert f"got {content}" in fault


def test_copy_that_names_another_partner_is_unexpected(raised: list[Raising], seen: Observations) -> None:
    seen.copies[0].copy.partner_id = "safe-harbour"

    assert "opened a copy meant for another" in "".join(faults(raised, seen))


def test_record_that_its_partner_cannot_open_is_a_fault(raised: list[Raising], seen: Observations) -> None:
    seen.unreadable.append(Unreadable("probation", "its topic, partition 3, offset 7"))

    assert faults(raised, seen) == ["unreadable: its topic, partition 3, offset 7: probation could not open it"]


def test_field_that_must_not_be_there_is_disclosed(raised: list[Raising], seen: Observations) -> None:
    [school] = [read for read in seen.copies if read.partner_id == "meadowbank-school"]
    school.copy.offer.narratives.add(text=raised[0].stated.concern.narrative.text)

    assert [fault.kind for fault in check(raised, seen).faults()] == ["disclosed"]
    assert "meadowbank-school got narratives, which it must not get" in faults(raised, seen)[0]


def test_field_of_a_subject_that_must_not_be_there_is_disclosed(raised: list[Raising], seen: Observations) -> None:
    [charity] = [read for read in seen.copies if read.partner_id == "safe-harbour"]
    charity.copy.offer.subjects[1].contact.telephone = raised[0].stated.concern.subjects[1].contact.telephone

    assert "safe-harbour got subjects[2].contact" in faults(raised, seen)[0]


def test_field_that_must_be_there_and_is_not_is_withheld(raised: list[Raising], seen: Observations) -> None:
    [school] = [read for read in seen.copies if read.partner_id == "meadowbank-school"]
    school.copy.offer.subjects[0].ClearField("identity")

    assert "meadowbank-school did not get subjects[3].identity, which it must get" in faults(raised, seen)[0]


def test_copy_that_holds_another_concerns_words_is_altered(raised: list[Raising], seen: Observations) -> None:
    lead = next(read for read in seen.copies if read.partner_id == "police-safeguarding")
    lead.copy.offer.narratives[0].text = raised[1].stated.concern.narrative.text

    assert "altered" in kinds(raised, seen)


def test_one_step_of_one_leg_under_two_event_ids_is_duplicated(raised: list[Raising], seen: Observations) -> None:
    seen.copies.append(rightly.changed(seen.copies[0], event_id="another"))

    verdict = check(raised, seen)

    assert (verdict.duplicated, verdict.repeated) == (1, 0)


def test_one_event_with_two_contents_is_duplicated(raised: list[Raising], seen: Observations) -> None:
    again = rightly.changed(seen.copies[0])
    seen.copies.append(type(again)(again.partner_id, b"encrypted another time", again.copy))

    verdict = check(raised, seen)

    assert (verdict.duplicated, verdict.repeated) == (1, 0)


def test_byte_identical_repeat_is_counted_and_is_a_fault_only_where_none_was_injected(
    raised: list[Raising], seen: Observations
) -> None:
    seen.copies.append(seen.copies[0])

    verdict = check(raised, seen)

    assert (verdict.duplicated, verdict.repeated) == (0, 1)
    assert [fault.kind for fault in verdict.faults()] == ["repeated"]
    assert verdict.faults(allow_repeats=True) == ()


def test_one_raising_with_two_answers_is_duplicated(raised: list[Raising], seen: Observations) -> None:
    again = Acknowledged(raised[0].idempotency_key, rightly.referral_of(raised[0]), "another event")
    seen.acknowledged.append(again)

    assert check(raised, seen).duplicated == 1


def test_same_answer_to_a_repeated_raising_is_no_fault(raised: list[Raising], seen: Observations) -> None:
    seen.acknowledged.append(seen.acknowledged[0])

    verdict = check(raised, seen)

    assert verdict.faults() == ()
    assert verdict.raised == 4


def test_two_raisings_with_one_answer_are_duplicated(raised: list[Raising], seen: Observations) -> None:
    first, second = seen.acknowledged[:2]
    seen.acknowledged[1] = Acknowledged(second.idempotency_key, first.referral_id, second.event_id)

    assert check(raised, seen).duplicated == 1


def test_notice_before_its_offer_is_out_of_order(raised: list[Raising], seen: Observations) -> None:
    places = [place for place, read in enumerate(seen.copies) if read.partner_id == "turning-tide"]
    first, second = places
    seen.copies[first], seen.copies[second] = seen.copies[second], seen.copies[first]

    assert kinds(raised, seen) == {"out of order"}


def test_repeat_of_the_offer_after_a_notice_is_in_order(raised: list[Raising], seen: Observations) -> None:
    seen.copies.append(next(read for read in seen.copies if read.partner_id == "turning-tide"))

    assert check(raised, seen).faults(allow_repeats=True) == ()


def test_end_that_is_taken_back_is_out_of_order(raised: list[Raising], seen: Observations) -> None:
    seen.outcomes.append(OutcomeRead(seen.outcomes[0].referral_id, REFERRAL_STATE_ROUTED, seen.outcomes[0].words))

    assert kinds(raised, seen) == {"out of order"}


def test_raiser_who_reads_another_outcome_than_the_scenario_states_is_a_fault(
    raised: list[Raising], seen: Observations
) -> None:
    seen.outcomes[0] = OutcomeRead(seen.outcomes[0].referral_id, REFERRAL_STATE_CLOSED, "advice was given")

    assert "did not read 'the person was made safe'" in "".join(faults(raised, seen))
