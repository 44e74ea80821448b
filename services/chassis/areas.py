"""The coarse areas and the partners of partners.toml, as `referrals partner add` enters them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.chassis.areafile import Strict, Where, read, refuse
from services.chassis.language import Service


class PlannedArea(Strict):
    """A coarse area, large enough to point at nobody."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$", examples=['"bristol"'])]
    name: Annotated[str, Field(min_length=1, examples=['"Bristol"'])]
    source: Annotated[str, Field(min_length=1)]


class PlannedPartner(Strict):
    """A partner as it will be entered in the directory; its key is its own to make."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$", examples=['"meadow-homes"'])]
    name: Annotated[str, Field(min_length=1, examples=['"Meadow Homes"'])]
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$", examples=['"housing_association"'])]
    serves: Annotated[Sequence[Service], Field(min_length=1, examples=['["housing"]'])]
    areas: Annotated[Sequence[str], Field(min_length=1, examples=['["bristol"]'])]
    kafka: Annotated[bool, Field(examples=["true"])]
    """False for a partner that uses the inbox by gRPC."""
    lead: bool = False
    """It is offered what others let expire, and tells the victim."""
    council: Annotated[str, Field(examples=['"bristol"'])] = ""
    """The coarse area by whose council's school days it works, where that is not always the concern's."""
    source: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Areas:
    """What partners.toml states."""

    areas: tuple[PlannedArea, ...]
    partners: tuple[PlannedPartner, ...]

    @property
    def codes(self) -> frozenset[str]:
        """The codes that a concern may name."""
        return frozenset(area.code for area in self.areas)


class _PartnersFile(Strict):
    area: Annotated[Sequence[PlannedArea], Field(min_length=1)]
    partner: Annotated[Sequence[PlannedPartner], Field(min_length=1)]


def load_areas(area: Path) -> Areas:
    """Read partners.toml of an area; raises FileRefused. Every area has a lead agency."""
    path = area / "partners.toml"
    found = read(path, _PartnersFile)
    _refuse_repeats(path, "area", "code", [each.code for each in found.area])
    _refuse_repeats(path, "partner", "id", [each.id for each in found.partner])
    codes = {each.code for each in found.area}
    for place, partner in enumerate(found.partner):
        for number, code in enumerate(partner.areas):
            if code not in codes:
                at: Where = ("partner", place, "areas", number)
                raise refuse(path, at, f"there is no area {code}", "one of " + ", ".join(sorted(codes)))
        if partner.council and partner.council not in codes:
            right = "one of " + ", ".join(sorted(codes))
            raise refuse(path, ("partner", place, "council"), f"there is no council {partner.council}", right)
    for place, each in enumerate(found.area):
        if not any(partner.lead and each.code in partner.areas for partner in found.partner):
            wrong = f"{each.code} has no lead agency"
            raise refuse(path, ("area", place), wrong, "a partner with lead = true that serves it")
    return Areas(tuple(found.area), tuple(found.partner))


def _refuse_repeats(path: Path, table: str, key: str, values: Sequence[str]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise refuse(path, (table, place, key), f"{value} is stated twice", f"one {table} a {key}")
