"""The area's partners, agreements and clocks, as routing's decisions need them: a snapshot for each turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from safeguarding.v1.common_pb2 import Deadline, Standing
from safeguarding.v1.intake_pb2 import Raised
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.chassis import logs
from services.chassis.areas import load_areas
from services.chassis.calendars import LONDON
from services.chassis.clocks import Clocks, load_clocks
from services.chassis.directory import BrokenEntry, Directory, Partner
from services.chassis.live_files import today
from services.grounds import Grounds, load_grounds
from services.known import Known
from services.partner_routing.agreements import NO_AGREEMENT, Agreement, Disclosure, disclose, load_agreements, nothing
from services.partner_routing.directory import choose, lead
from services.partner_routing.rights import Applies, Rights, load_rights

log = logs.get(__name__)
SHORTEST = "respond_red"
"""A clock that every area states."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one turn decides by; see domain.offers.AreaRules."""

    partners: tuple[Partner, ...]
    agreements: dict[str, Agreement]
    clocks: Clocks
    grounds: Grounds
    victims: Rights

    def choose(
        self, service: int, purpose: str, area: str, excluding: Collection[str], now: datetime
    ) -> Partner | None:
        """See AreaRules."""
        fit = [partner for partner in self.partners if self._in_force(partner.id, purpose, now)]
        on = now.astimezone(LONDON).date()
        return choose(fit, service, area, on, excluding)  # type: ignore[arg-type]  # an int of the enum

    def lead(self, area: str) -> Partner | None:
        """See AreaRules."""
        return lead([partner for partner in self.partners if partner.id in self.agreements], area)

    def partner(self, partner_id: str) -> Partner | None:
        """The partner's entry, or None once it was removed."""
        return next((partner for partner in self.partners if partner.id == partner_id), None)

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosure:
        """See AreaRules."""
        raised = known.raised
        if raised is None:
            raise ValueError("nothing was raised")
        subjects = [(number, subject.role) for number, subject in known.subjects.items()]
        agreement = self.agreements.get(partner_id)
        if agreement is None:  # it was taken away while a leg is open
            return nothing(subjects, NO_AGREEMENT)
        return disclose(
            agreement,
            request.purpose,
            raised.kinds,
            request.basis,
            known.consents,
            subjects,
            now.astimezone(LONDON).date(),
        )

    def agreement(self, partner_id: str) -> tuple[str, str | None]:
        """See AreaRules."""
        agreement = self.agreements[partner_id]
        return agreement.name, agreement.respond_clock

    def until(self, clock: str, start: datetime, council: str) -> Deadline:
        """See AreaRules. Triage may name a clock that this area's file lacks: the offer is made, and in a hurry."""
        if clock not in self.clocks.rules:
            log.error("clock_unknown", clock=clock, instead=SHORTEST)
            clock = SHORTEST
        return self.clocks.until(clock, start, council)

    def from_raising(self, clock: str) -> bool:
        """See AreaRules."""
        return self.clocks.from_raising(clock)

    def victim_by(self, raised: Raised, role: int) -> Standing | None:
        """See AreaRules."""
        return self.victims.victim_by(raised, role)

    def rights(self, role: int, happened: Collection[int]) -> Sequence[Applies]:
        """See AreaRules."""
        return self.victims.of(role, happened)

    def enhanced(self, raised: Raised, role: int) -> Sequence[Standing]:
        """See AreaRules."""
        return self.victims.enhanced(raised, role)

    def telling(self, event: int, *, enhanced: bool) -> tuple[int, str]:
        """See AreaRules."""
        return self.victims.telling(event, enhanced=enhanced)

    def procedure_clocks(self, stage: int) -> tuple[Sequence[str], Sequence[str]]:
        """See AreaRules."""
        return self.clocks.after(stage), self.clocks.until_stage(stage)

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """See AreaRules."""
        return self.clocks.resumed(clock, runs_out, paused, now, council)

    def _in_force(self, partner_id: str, purpose: str, now: datetime) -> bool:
        agreement = self.agreements.get(partner_id)
        if agreement is None or purpose not in agreement.purposes:
            return False
        return agreement.signed_on <= now.astimezone(LONDON).date() <= agreement.expires_on


@dataclass(frozen=True, slots=True)
class Stated:
    """What the area's files state."""

    agreements: dict[str, Agreement]
    clocks: Clocks
    grounds: Grounds
    victims: Rights
    areas: frozenset[str]
    """The codes of the coarse areas."""


def load_stated(folder: Path) -> Stated:
    """Agreements and clocks as they are in force today; raises FileRefused, also for what has expired."""
    on = today().date()
    agreements, clocks = load_agreements(folder, on), load_clocks(folder, on)
    return Stated(agreements, clocks, load_grounds(folder), load_rights(folder), load_areas(folder).codes)


def snapshot(partners: tuple[Partner, ...], stated: Stated) -> Snapshot:
    """These partners under what the files state."""
    return Snapshot(partners, stated.agreements, stated.clocks, stated.grounds, stated.victims)


class Area:
    """What the area's files state and who is in the directory, as both are now."""

    def __init__(self, stated: Callable[[], Stated], directory: Directory) -> None:
        """Raises BrokenEntry for a partner's entry that is wrong."""
        self._stated = stated
        self._directory = directory
        partners, now = directory.partners(), stated()
        directory.refuse_elsewhere(partners, now.areas)
        self._last = snapshot(partners, now)
        self._broken = ""

    def snapshot(self) -> Snapshot:
        """The area at this moment. A directory file that is wrong leaves the last good entries in force."""
        stated = self._stated()
        partners = self._partners(stated.areas)
        if partners != self._last.partners or stated.agreements is not self._last.agreements:
            self._last = snapshot(partners, stated)
        return self._last

    def _partners(self, areas: frozenset[str]) -> tuple[Partner, ...]:
        try:
            partners = self._directory.partners()
            if partners != self._last.partners:
                self._directory.refuse_elsewhere(partners, areas)
        except BrokenEntry as broken:
            if str(broken) != self._broken:  # said once, not at each turn
                self._broken = str(broken)
                log.error("directory_entry_broken", wrong=self._broken)
            return self._last.partners
        self._broken = ""
        return partners
