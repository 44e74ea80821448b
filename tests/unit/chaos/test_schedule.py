"""The seed alone says what is raised and which faults strike; every process is struck before any is struck twice."""

from __future__ import annotations

from collections import Counter

import pytest

from services.topics import SERVICES
from tests.chaos import load, schedule
from tests.chaos.faults import POISON_AT_ONCE
from tests.chaos.schedule import BROKER, STORE, Fault, Kind, Struck


def test_the_same_seed_gives_the_same_faults_and_the_same_load() -> None:
    assert schedule.planned(7, 1_000, 12) == schedule.planned(7, 1_000, 12)
    assert load.planned(7, 300) == load.planned(7, 300)


def test_another_seed_gives_others() -> None:
    assert schedule.planned(7, 1_000, 12) != schedule.planned(8, 1_000, 12)
    assert load.planned(7, 300) != load.planned(8, 300)


def test_faults_strike_one_after_the_other_and_within_the_load() -> None:
    faults = schedule.planned(3, 2_000, 20)

    moments = [fault.after for fault in faults]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 2_000


def test_every_process_is_killed_before_any_is_killed_twice() -> None:
    everyone = {*SERVICES, BROKER, STORE}

    killed = [fault.target for fault in schedule.planned(5, 2_000, 30) if fault.kind is Kind.KILL]

    assert set(killed[: len(everyone)]) == everyone
    assert max(Counter(killed).values()) - min(Counter(killed).values()) <= 1


def test_a_run_has_faults_of_every_kind() -> None:
    kinds = Counter(fault.kind for fault in schedule.planned(5, 2_000, 30, wired=True))

    assert kinds == {
        **{Kind.KILL: 7, Kind.FULL: 3, Kind.FREEZE: 3, Kind.ROLL: 2, Kind.POISON: 3, Kind.INJECT: 5},
        **{Kind.CUT: 2, Kind.RESET: 2, Kind.DELAY: 2, Kind.SLOW: 1},
    }


def test_the_form_that_ci_runs_has_something_of_every_kind() -> None:
    kinds = Counter(fault.kind for fault in schedule.planned(5, 400, 12, wired=True))

    assert kinds == {
        **{Kind.KILL: 2, Kind.FULL: 1, Kind.FREEZE: 2, Kind.ROLL: 1, Kind.POISON: 1, Kind.INJECT: 2},
        **{Kind.CUT: 1, Kind.RESET: 1, Kind.DELAY: 1},
    }


def test_the_form_that_the_night_runs_has_as_much_as_it_should() -> None:
    kinds = Counter(fault.kind for fault in schedule.planned(5, 20_000, 500, wired=True))

    assert sum(kinds[kind] for kind in schedule.BROKEN) >= 100
    assert kinds[Kind.FREEZE] >= 20
    assert kinds[Kind.ROLL] >= 20
    assert kinds[Kind.POISON] * POISON_AT_ONCE >= 10_000
    assert Counter(fault.kind for fault in schedule.planned(5, 100_000, 240))[Kind.KILL] >= 200


def test_a_run_that_is_not_wired_kills_freezes_and_restarts() -> None:
    kinds = Counter(fault.kind for fault in schedule.planned(5, 2_000, 30))

    assert kinds == {Kind.KILL: 25, Kind.FREEZE: 3, Kind.ROLL: 2}


def test_a_run_of_clocks_sets_that_of_each_service_ahead_and_behind() -> None:
    faults = schedule.planned(5, 2_000, 8, clocks=True)

    assert Counter((fault.kind, fault.target) for fault in faults) == Counter(
        (kind, service) for kind in schedule.CLOCKS for service in SERVICES
    )
    assert {fault.struck.limit for fault in faults} == {60.0}


def test_a_run_of_three_brokers_destroys_some_and_freezes_and_restarts_as_any_other() -> None:
    kinds = Counter(fault.kind for fault in schedule.planned(5, 2_000, 20, brokers=3))

    assert kinds == {
        **{Kind.DESTROY: 5, Kind.FREEZE: 2, Kind.ROLL: 2, Kind.KILL: 6},
        **{Kind.CUT: 2, Kind.RESET: 1, Kind.DELAY: 1, Kind.SLOW: 1},
    }


def test_without_disks_none_is_filled_and_there_are_as_many_faults() -> None:
    faults = schedule.planned(5, 2_000, 30, wired=True, disks=False)

    assert len(faults) == 30
    assert Kind.FULL not in {fault.kind for fault in faults}


def test_no_link_is_broken_twice_before_each_was_broken_once() -> None:
    links = [fault.target for fault in schedule.planned(5, 9_000, 60, wired=True) if fault.kind in schedule.BROKEN]

    assert set(links[: len(schedule.LINKS)]) == set(schedule.LINKS)


@pytest.mark.parametrize(
    ("kind", "target", "struck", "seconds"),
    [
        (Kind.KILL, "triage", Struck.SERVICE, 30.0),
        (Kind.ROLL, "services", Struck.SERVICE, 30.0),
        (Kind.POISON, "topics", Struck.SERVICE, 30.0),
        (Kind.CUT, "audit-intake", Struck.SERVICE, 30.0),
        (Kind.FREEZE, STORE, Struck.STORE, 30.0),
        (Kind.SLOW, "intake-mongo", Struck.STORE, 30.0),
        (Kind.KILL, BROKER, Struck.BROKER, 60.0),
        (Kind.DESTROY, "kafka-2", Struck.BROKER, 60.0),
        (Kind.RESET, "everybody-kafka", Struck.BROKER, 60.0),
        (Kind.CUT, "everybody-partners", Struck.BROKER, 60.0),
        (Kind.FULL, STORE, Struck.DISK, 60.0),
        (Kind.AHEAD, "triage", Struck.CLOCK, 60.0),
    ],
)
def test_what_is_struck_has_its_time_to_recover(kind: Kind, target: str, struck: Struck, seconds: float) -> None:
    assert Fault(1, kind, target).struck is struck
    assert struck.limit == seconds


def test_the_load_raises_exactly_what_was_asked_for_each_under_a_key_of_its_own() -> None:
    work = load.planned(11, 500)

    keys = [submission.key for each in work for submission in each.submissions]
    assert len(keys) == len(set(keys)) == 500
    assert any(each.bulk for each in work)
    assert any(each.storm for each in work)


def test_a_bulk_is_of_one_raiser_who_may_raise_in_bulk() -> None:
    for each in load.planned(11, 1_000):
        raisers = {(one.stated.raiser.role, one.stated.raiser.id) for one in each.submissions}
        assert len(raisers) == 1
        assert not each.bulk or {role for role, _ in raisers} <= load.MAY_RAISE_IN_BULK


def test_the_gate_lets_through_no_more_than_its_quota() -> None:
    work = [each for each in load.planned(11, 200) if not each.bulk][:20]
    gate = load.Gate(work, 5)
    through = iter(gate)

    assert [next(through) for _ in range(5)] == work[:5]
    gate.allow(6)
    assert next(through) == work[5]
    gate.close()
    assert list(through) == []


def test_the_gate_ends_when_all_is_through_although_its_quota_is_not_raised() -> None:
    work = [each for each in load.planned(11, 200) if not each.bulk][:3]

    assert list(load.Gate(work, 3)) == work
