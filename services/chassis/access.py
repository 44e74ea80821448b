"""Leaves an access fact before personal data leaves: who looked at what, and why, acknowledged by the broker."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from safeguarding.v1.access_pb2 import AccessFact, AccessKind
from safeguarding.v1.common_pb2 import FactHeader, FieldGroup
from services.chassis import tracing
from services.chassis.calls import seconds_to_answer
from services.chassis.engine.away import Away
from services.chassis.errors import Unavailable
from services.chassis.identity import Identity
from services.chassis.records import Heading, OutRecord, rfc3339
from services.topics import access_topic

ACKNOWLEDGED_WITHIN = 10.0

Send = Callable[[list[OutRecord], float], None]
"""Sends records and waits for the broker's acknowledgement, at most so many seconds; raises Away without it."""

_NAMESPACE = UUID("5d1f0d6e-2c9c-5f0b-9a53-8e4c7a1f2b60")


class Access:
    """One service's access facts, on referrals.access.<service>.v1."""

    def __init__(self, send: Send, service: str, clock: Callable[[], datetime]) -> None:
        self._send = send
        self._topic = access_topic(service).name
        self._service = service
        name = AccessFact.DESCRIPTOR.full_name
        self._heading = Heading(name, service, name)
        self._clock = clock

    def record(
        self,
        identity: Identity,
        kind: AccessKind.ValueType,
        method: str,
        *,
        reason: str,
        referral_ids: Sequence[str],
        groups: Sequence[FieldGroup.ValueType] = (),
        leg_id: str = "",
        timeout: float | None = None,
    ) -> str:
        """Return the event id once the broker holds the fact; only then may the data leave.

        `reason` is a code, or the role's standing purpose. With one referral the fact is about that referral; with
        several, or none, about the search itself, which gets an id of its own.
        Raises Unavailable where the broker does not acknowledge within `timeout` seconds, by default before the
        present call's deadline.
        """
        look = str(uuid4())  # every look is one of its own, also where it repeats
        alone = referral_ids[0] if len(referral_ids) == 1 else ""
        fact = AccessFact(
            header=FactHeader(
                event_id=str(uuid5(_NAMESPACE, f"{self._service}|{look}")),
                referral_id=alone or look,
                actor=identity.actor(),
                cause_id=look,
            ),
            kind=kind,
            method=method,
            reason=reason,
            referral_ids=() if alone else referral_ids,
            groups=groups,
            leg_id=leg_id,
        )
        fact.header.occurred_at.FromDatetime(self._clock())
        self.send(fact, seconds_to_answer(at_most=ACKNOWLEDGED_WITHIN) if timeout is None else timeout)
        return fact.header.event_id

    def send(self, fact: AccessFact, within: float) -> None:
        """Return once the broker holds the fact. Raises Unavailable where it does not say so in so many seconds."""
        try:
            self._send([self._record_of(fact)], within)
        except (Away, TimeoutError) as error:
            raise Unavailable("broker") from error

    def _record_of(self, fact: AccessFact) -> OutRecord:
        header = fact.header
        referral = header.referral_id.encode()
        headers = self._heading.of(header.event_id, referral, rfc3339(header.occurred_at), tracing.current())
        return OutRecord(self._topic, referral, fact.SerializeToString(deterministic=True), headers)
