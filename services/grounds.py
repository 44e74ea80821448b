"""Grounds: why a leg goes ahead although the person has not agreed, by lawful basis. Pure once they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from safeguarding.v1.common_pb2 import LAWFUL_BASIS_CONSENT, LawfulBasis, Standing
from services.chassis.areafile import Sourced, Strict, Wrong, read, refuse
from services.chassis.language import BASES, Basis
from services.standing import standing


class Ground(Sourced):
    """One reason, with the bases for which it may be given."""

    code: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$", examples=['"would_prejudice_protection"'])]
    bases: Annotated[Sequence[Basis], Field(min_length=1, examples=['["safeguarding"]'])]
    words: Annotated[str, Field(max_length=500, examples=['"To ask would put the protection at risk."'])]
    source: Annotated[str, Field(max_length=300, examples=['"DPA 2018, Schedule 1, paragraph 18"'])]

    def model_post_init(self, context: Any) -> None:
        """What rests on consent has no reason to go ahead without it."""
        super().model_post_init(context)
        for place, basis in enumerate(self.bases):
            if basis == LAWFUL_BASIS_CONSENT:
                right = "one of " + ", ".join(word for word in BASES if word != "consent")
                raise Wrong("what rests on consent stops without it", right, at=("bases", place))


class Grounds:
    """The grounds of an area; nothing in it changes what it says."""

    def __init__(self, grounds: Sequence[Ground]) -> None:
        found: dict[int, list[Standing]] = {}
        for ground in grounds:
            for basis in ground.bases:
                found.setdefault(basis, []).append(standing(ground.code, ground))
        self._of = {basis: tuple(each) for basis, each in found.items()}

    def of(self, basis: int) -> tuple[Standing, ...]:
        """Those that may be given for a basis, in the order of the file; none for consent."""
        return self._of.get(basis, ())


class _GroundsFile(Strict):
    ground: Annotated[Sequence[Ground], Field(min_length=1)]


def load_grounds(area: Path) -> Grounds:
    """Read grounds.toml of an area; raises FileRefused, also where a basis other than consent has no ground."""
    path = area / "grounds.toml"
    grounds = read(path, _GroundsFile).ground
    seen: set[str] = set()
    for place, ground in enumerate(grounds):
        if ground.code in seen:
            raise refuse(path, ("ground", place, "code"), f"{ground.code} is stated twice", "one ground a code")
        seen.add(ground.code)
    covered = {basis for ground in grounds for basis in ground.bases}
    for basis in LawfulBasis.values():
        if basis and basis != LAWFUL_BASIS_CONSENT and basis not in covered:
            word = BASES.word(basis)
            raise refuse(path, (), f"no ground for {word}", f'[[ground]] with bases = ["{word}"]')
    return Grounds(grounds)
