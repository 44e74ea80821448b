"""The labelled set is the same each time, and the matcher is as good on it as docs/matching.md says."""

from __future__ import annotations

from tests.matching.__main__ import shown
from tests.matching.referrals import generated
from tests.matching.report import reported


def test_the_same_seed_gives_the_same_referrals_and_another_gives_others() -> None:
    first = [(each.at, each.concern.SerializeToString()) for each in generated(50, 1)]

    assert [(each.at, each.concern.SerializeToString()) for each in generated(50, 1)] == first
    assert [(each.at, each.concern.SerializeToString()) for each in generated(50, 2)] != first


def test_links_of_one_person_are_seldom_wrong_and_mostly_found() -> None:
    """A short set: `make match-report` has the long one."""
    report = reported(800, 11)

    person = report.rates["one person"]
    assert person.precision >= 0.97
    assert person.recall >= 0.80
    assert report.rates["any of them"].recall >= 0.85
    assert report.by_difference["written as it is"].recall == 1.0
    assert "twins" not in report.wrong
    assert "| one person |" in shown(report)
