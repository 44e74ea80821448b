"""The file of witnesses: whose cosignatures a checkpoint must carry before it is published, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from services.audit.log.note import Verifier
from services.audit.log.witnessing import Remote
from services.chassis.areafile import Strict, Wrong, read


class Listed(Strict):
    """One witness."""

    key: Annotated[str, Field(examples=['"witness.example/w1+0a1b2c3d+BA…"'])]
    """Its verifier key, of type cosignature/v1."""
    url: Annotated[str, Field(examples=['"https://witness.example/w1/"'])]
    """Where it takes checkpoints, as c2sp.org/tlog-witness says."""

    def model_post_init(self, _: Any) -> None:
        """Refuse what can be no witness."""
        try:
            self.remote()
        except ValueError as error:
            raise Wrong(str(error), "the key and url that the witness's operator published", at=("key",)) from None

    def remote(self) -> Remote:
        """As the log asks it."""
        return Remote(Verifier.parse(self.key), self.url)


class Policy(Strict):
    """Who is asked, and how many of them must have cosigned."""

    quorum: Annotated[int, Field(ge=1, examples=["2"])]
    witness: Annotated[Sequence[Listed], Field(min_length=1, max_length=20)]

    def model_post_init(self, _: Any) -> None:
        """A quorum that these can make."""
        if self.quorum > len({listed.key for listed in self.witness}):
            raise Wrong("the quorum is larger than the number of witnesses", "at most that number", at=("quorum",))

    @property
    def remotes(self) -> list[Remote]:
        """Those who are asked."""
        return [listed.remote() for listed in self.witness]


def load(path: Path) -> Policy:
    """The file. Raises FileRefused, with the line and what would be right."""
    return read(path, Policy)
