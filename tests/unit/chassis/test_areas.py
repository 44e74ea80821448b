"""partners.toml lists areas that each have a lead agency, and partners that serve known areas."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"


def test_the_area_lists_its_partners_and_some_without_kafka() -> None:
    found = load_areas(AREA)

    assert len(found.partners) >= 12
    assert sum(not partner.kafka for partner in found.partners) >= 2
    assert sum(partner.lead for partner in found.partners) == 1
    assert "bristol" in found.codes


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ("lead = true\n", "", "bristol has no lead agency"),
        ('areas = ["bristol"]', 'areas = ["bristoll"]', "there is no area bristoll"),
        ('id = "haven-west"', 'id = "safe-harbour"', "safe-harbour is stated twice"),
        ('serves = ["probation"]', 'serves = ["parole"]', "'parole' is no such word"),
        ('kind = "farm_watch"\n', "", "the key 'kind' is missing"),
        ('kind = "farm_watch"', 'kind = "farm_watch"\ncolour = "green"', "unknown key 'colour'"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, before: str, after: str, wrong: str) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    text = (area / "partners.toml").read_text()
    assert text.count(before) == 1
    (area / "partners.toml").write_text(text.replace(before, after))

    with pytest.raises(FileRefused) as caught:
        load_areas(area)

    assert wrong in caught.value.wrong
    assert caught.value.line > 1
    assert caught.value.right
