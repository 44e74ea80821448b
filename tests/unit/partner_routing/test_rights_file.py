"""A file of victims' rights that contradicts itself is refused with its line and what would be right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.chassis.areafile import FileRefused
from services.partner_routing.rights import load_rights

FOLDER = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
BROKEN = [
    ("number = 12", "number = 11", "right 11 is stated twice"),
    ("number = 12", "number = 13", "less than or equal to 12"),
    ('roles = ["victim"]\nclock', 'roles = ["suspect"]\nclock', "suspect is no victim"),
    ('code = "complain"', 'code = "be_understood"', "the code be_understood is used twice"),
    ('code = "intimidated"', 'code = "complain"', "the code complain is used twice"),
    ('clock = "victim_referral"', 'clock = "soon"', "no clock soon"),
    ('clock = "victim_referral"\n', "", "it begins no clock"),
    ('met_by = ["victim_support", "domestic_abuse_support"]\n', "", "nothing begins or ends it"),
    ('tells_of = ["court"]', 'tells_of = ["court", "arrest"]', "arrest is told under another right already"),
    ('tells_of = ["court"]\nclock = "victim_update"\nclock_enhanced = "victim_update_enhanced"\n', "", "court is told"),
    ('any_signs = ["immediate_danger"', 'any_signs = ["danger"', "'danger' is no sign that a raiser ticks"),
    ('kinds = ["domestic_abuse", "hate_crime", "exploitation"]', "", "a group of which nobody can be"),
    ("source = \"Victims' Code, right 12", "sauce = \"Victims' Code, right 12", "unknown key 'sauce'"),
    ('role = "child"', 'role = "victim"', "victim is a victim already"),
    ('code = "child_in_abusive_home"', 'code = "vulnerable"', "the code vulnerable is used twice"),
    ('after = ["court"]', 'after = ["tea"]', "'tea' is no such word"),
]


@pytest.mark.parametrize(("before", "after", "wrong"), BROKEN, ids=[row[2] for row in BROKEN])
def test_rights_that_contradict_themselves_are_refused(tmp_path: Path, before: str, after: str, wrong: str) -> None:
    area = Path(shutil.copytree(FOLDER, tmp_path / "area"))
    path = area / "rights.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))

    with pytest.raises(FileRefused) as refused:
        load_rights(area)

    assert (refused.value.file, wrong in refused.value.wrong) == (path, True), refused.value.wrong
    assert refused.value.line > 0
    assert refused.value.right
