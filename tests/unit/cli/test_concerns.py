"""A concern from a file or from answers; what is wrong is named by its field and never by what stood there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_DOMESTIC_ABUSE,
    CONCERN_KIND_HATE_CRIME,
    CONCERN_KIND_REOFFENDING,
    SUBJECT_ROLE_VICTIM,
)
from safeguarding.v1.concern_pb2 import Concern, Signs
from safeguarding.v1.equality_pb2 import DISABLED_YES, ETHNIC_GROUP_MIXED, EqualityAnswers
from services.chassis import checking
from services.chassis.areas import load_areas
from services.cli import asking, concerns
from services.cli.exits import Exit, Failed
from services.cli.local.environments import AREAS
from services.cli.local.home import CHECKOUT

CANARY = "Quillfeather"
RIGHT = {"kinds": ["hate_crime"], "area": "bristol", "narrative": {"text": "Words on a door."}}
AREA = AREAS / "avon-and-somerset"


def read(tmp_path: Path, content: object) -> Concern:
    file = tmp_path / "concern"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return concerns.read(file)


def test_toml_and_json_give_the_same_concern(tmp_path: Path) -> None:
    toml = 'kinds = ["hate_crime"]\narea = "bristol"\n[narrative]\ntext = "Words on a door."\n'

    assert read(tmp_path, toml) == read(tmp_path, RIGHT)
    assert list(read(tmp_path, toml).kinds) == [CONCERN_KIND_HATE_CRIME]


def test_protobufs_own_names_and_dates_are_taken_too(tmp_path: Path) -> None:
    toml = (
        'kinds = ["CONCERN_KIND_HATE_CRIME"]\narea = "bristol"\nnarrative.text = "x"\n'
        '[[subjects]]\nrole = "victim"\nidentity.date_of_birth = 1980-02-29\n'
    )

    subject = read(tmp_path, toml).subjects[0]

    assert (subject.role, subject.identity.date_of_birth) == (SUBJECT_ROLE_VICTIM, "1980-02-29")


@pytest.mark.parametrize(
    "file", sorted((CHECKOUT / "deploy/local/scenario/concerns").glob("*.toml")), ids=lambda file: str(file.stem)
)
def test_every_concern_of_the_scenario_can_be_raised_as_a_file(file: Path) -> None:
    assert checking.violations(concerns.read(file)) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({**RIGHT, "kinds": [CANARY]}, "kinds[0]"),
        ({**RIGHT, "kinds": CANARY}, "kinds"),
        ({**RIGHT, "narrative": CANARY}, "narrative"),
        ({**RIGHT, "narrative": {"text": [CANARY]}}, "narrative.text"),
        ({**RIGHT, "signs": {"weapon": CANARY}}, "signs.weapon"),
        ({**RIGHT, "signs": {"dash_score": CANARY}}, "signs.dash_score"),
        ({**RIGHT, "signs": {"dash_score": -1}}, "signs.dash_score"),
        ({**RIGHT, "subjects": [{"role": "victim", "identity": {"name": CANARY}}]}, "subjects[0].identity.name"),
    ],
)
def test_a_wrong_field_is_named_and_its_content_is_not(tmp_path: Path, wrong: object, field: str) -> None:
    with pytest.raises(Failed) as refused:
        read(tmp_path, wrong)

    assert refused.value.status is Exit.REFUSED
    assert refused.value.fields[0][0] == field
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("text", [f"{{{CANARY}", f"= {CANARY}", f"[{CANARY}"])
def test_what_is_no_table_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(Failed) as refused:
        read(tmp_path, text)

    assert CANARY not in str(refused.value)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(Failed) as refused:
        concerns.read(tmp_path / "absent.toml")

    assert refused.value.status is Exit.USAGE


def asked(answers: list[str]) -> tuple[Concern, str]:
    """The concern that these answers give, and what was said meanwhile."""
    found: list[Concern] = []
    app = typer.Typer()
    app.command()(lambda: found.append(asking.concern(load_areas(AREA))))
    result = CliRunner().invoke(app, [], input="\n".join(answers) + "\n", catch_exceptions=False)
    return found[0], result.stderr


def test_questions_one_at_a_time_give_a_concern_that_keeps_every_rule() -> None:
    concern, said = asked(
        [
            *("3", "1"),  # domestic abuse, Bristol
            *("y", "1 8", "15", "2"),  # danger; a child lives here, a weapon; DASH; events
            *("He threw", "the kettle.", ""),
            *("kitchen", "BS1 1AA", "", ""),
            *("y", "3", "Ann", "Example", "not a date", "1990-01-02", "", "", "", "after school", "", ""),
            *("n", "n", "PC Example", "", "", "", "Welsh", ""),
        ]
    )

    assert checking.violations(concern) == []
    assert list(concern.kinds) == [CONCERN_KIND_DOMESTIC_ABUSE]
    assert (concern.area, concern.signs.immediate_danger, concern.signs.weapon) == ("bristol", True, True)
    assert (concern.signs.dash_score, concern.signs.abuse_events_in_twelve_months) == (15, 2)
    assert concern.narrative.text == "He threw\nthe kettle."
    assert concern.subjects[0].role == SUBJECT_ROLE_VICTIM
    assert concern.subjects[0].identity.date_of_birth == "1990-01-02"
    assert concern.subjects[0].contact.safe_contact == "after school"
    assert not concern.subjects[0].HasField("identifiers")
    assert (concern.raiser.name, concern.raiser.interpreter) == ("PC Example", "Welsh")
    assert "Call 999 first" in said
    assert said.count("Date of birth") == 2


def test_every_sign_that_a_rule_may_want_is_asked_and_some_only_of_their_kind() -> None:
    ticks = {field.name for field in Signs.DESCRIPTOR.fields if field.type == field.TYPE_BOOL}
    of_kinds = [set(signs) for signs in asking.SIGNS_OF.values()]

    assert set(asking.SIGNS).union(*of_kinds) == ticks - {"immediate_danger"}
    assert not set(asking.SIGNS).intersection(*of_kinds)


def test_of_somebody_likely_to_offend_again_it_is_asked_how_they_are_managed() -> None:
    kind, mappa = str(CONCERN_KIND_REOFFENDING), str(len(asking.SIGNS) + 2)
    concern, said = asked([kind, "1", "n", mappa, "Out on Friday.", "", *[""] * 4, "n", "y"])

    assert concern.signs == Signs(mappa_level_2=True)
    assert "MAPPA at level 3" in said


def test_road_danger_is_asked_for_the_vehicle_and_each_speed_that_was_measured() -> None:
    concern, said = asked(
        [
            *("10", "1", "n", "", "Three mornings.", ""),
            *("", "", "", "not three words", "filled.count.soap"),
            *("ZZ95 SPD", "white van", ""),
            *("fast", "42/25", "42/20 39/20"),
            *("n", "n", "", "", "", "", "", ""),
        ]
    )

    assert concern.place.three_words == "filled.count.soap"
    assert concern.vehicle.registration == "ZZ95 SPD"
    assert [(each.measured_mph, each.limit_mph) for each in concern.vehicle.speeds] == [(42, 20), (39, 20)]
    assert said.count("that is not right") == 3
    assert checking.violations(concern) == []


def test_equality_answers_are_chosen_by_number_or_left_out() -> None:
    found = EqualityAnswers()
    app = typer.Typer()
    app.command()(lambda: asking.answers(found))

    result = CliRunner().invoke(app, [], input="\n".join(["", "1 2", "1", "3", "", "", "", ""]) + "\n")

    assert result.exit_code == 0
    assert found == EqualityAnswers(disabled=DISABLED_YES, ethnic_group=ETHNIC_GROUP_MIXED)
    assert "that is not right: one number" in result.stderr


def test_answers_that_end_too_early_are_a_usage_error() -> None:
    with pytest.raises(Failed) as refused:
        asked(["3"])

    assert refused.value.status is Exit.USAGE


def test_an_anonymous_raiser_is_asked_for_nothing_about_themselves() -> None:
    concern, _ = asked(["9", "1", "n", "", "Words on a door.", "", "", "", "", "", "n", "y"])

    assert concern.anonymous
    assert not concern.HasField("raiser")
    assert checking.violations(concern) == []


def test_signs_are_named_on_the_command_line_and_a_count_has_its_number() -> None:
    assert concerns.signs_of([]) is None
    assert concerns.signs_of(["weapon", "dash_score=16"]) == Signs(weapon=True, dash_score=16)


@pytest.mark.parametrize("said", ["wepon", "weapon=1", "dash_score", "dash_score=many"])
def test_a_sign_that_is_none_or_is_said_wrongly_is_a_usage_error(said: str) -> None:
    with pytest.raises(Failed) as refused:
        concerns.signs_of([said])

    assert refused.value.status is Exit.USAGE
    assert refused.value.right
