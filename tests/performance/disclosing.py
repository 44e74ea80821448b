"""Row 9 for partner-routing: what a referral costs, copies and keys included, when so many are stored already.

Intake's and triage's facts are loaded in step, first those that are only stored, then those that are measured; the keys
of what intake sealed are opened by a server of the benchmark's own, which makes them again from the referral's id.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import grpc
from kafka import TopicPartition

from safeguarding.v1 import intake_pb2, intake_pb2_grpc
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.partitions import partition_of
from services.cli.demo.people import partners_of
from services.cli.local import authority, environments, partners, ports
from services.partner_routing.domain import ROUTING
from tests.performance.delivered import uneven
from tests.performance.ground import PARTITIONS, Ground, Loaded
from tests.performance.hop import LATE, PATIENCE, POLL
from tests.performance.process import Arm, ArmEnded, Usage, running
from tests.performance.result import Contest, Sample, flat
from tests.performance.triaging import decided, environment
from tests.performance.work import different, key_ids, key_of, openable_facts

TOGETHER = 500
"""Referrals of which intake's facts come before triage's of the same."""


def grown(ground: Ground, sizes: Sequence[int], events: int) -> Contest:
    """Row 9, partner-routing's part; the others' are in triaging.py and growing.py."""
    arms = {f"{size:,} stored": size for size in sizes}
    desk = Partners(ground, sizes[-1] + events)
    return Contest(
        "as partner-routing's store grows",
        f"{events:,} new referrals of the scenario, raised and triaged, measured after so many others",
        {name: partial(desk.after, size, events) for name, size in arms.items()},
        flat("9.partner-routing", "partner-routing", "referrals", arms),
        arms,
    )


class Referral(NamedTuple):
    """One referral, as far as partner-routing reads of it."""

    raised: Loaded
    triaged: Sequence[Loaded]
    routed: bool
    causes: Sequence[str]
    """The ids of all these facts."""


class Partners:
    """Everything around partner-routing."""

    def __init__(self, ground: Ground, most: int) -> None:
        """`most` referrals are made, of which each round takes as many as it needs."""
        self._ground = ground
        self._secret = secrets.token_bytes(32)
        self._referrals = [_triaged(raised) for raised in openable_facts(most, self._secret)]
        partners.add(ground.stack, partners_of(environments.AREAS / ground.stack.area))

    def after(self, size: int, events: int) -> Sample:
        """One round, on topics and in a database of its own."""
        run = uuid.uuid4().hex[:6]
        raised, triaged, routed = self._ground.topics([f"bench.routing.{run}.{n}" for n in ("in", "decided", "out")])
        self._ground.forget_group(ROUTING)
        referrals = self._referrals[: size + events]
        database = f"routing_{run}"
        with self._keys() as address:
            told = {
                **self._ground.settings,
                "environment": {
                    **environment(self._ground, ROUTING, database),
                    "PARTNER_ROUTING_INTAKE_ADDRESS": address,
                },
                "raised": raised,
                "triaged": triaged,
                "routed": routed,
            }
            since = self._ground.ends([routed])
            try:
                with running("routing_real", told, self._ground.logs()) as process:
                    self._load(raised, triaged, referrals[:size])
                    before, _ = self._settled(process, [raised, triaged], routed)
                    began = time.monotonic()
                    self._load(raised, triaged, referrals[size:])
                    after, ended = self._settled(process, [raised, triaged], routed)
                    time.sleep(LATE)
                void = _compared(referrals, self._ground.records(since))
            except (ArmEnded, TimeoutError) as wrong:
                return Sample(void=str(wrong))
            finally:
                self._ground.store.drop_database(database)
                self._ground.admin.delete_topics([raised, triaged, routed])
        return Sample(events / (after.cpu - before.cpu), events / (ended - began), after.memory, void=void)

    def _load(self, raised: str, triaged: str, referrals: Sequence[Referral]) -> None:
        for first in range(0, len(referrals), TOGETHER):
            some = referrals[first : first + TOGETHER]
            self._ground.load(raised, [one.raised for one in some])
            self._ground.load(triaged, [fact for one in some for fact in one.triaged])

    def _settled(self, process: Arm, sources: Sequence[str], sink: str) -> tuple[Usage, float]:
        """Wait until all that lies on the sources is done; what was used when the last fact came, and when that was."""
        ends = {TopicPartition(*place): end for place, end in self._ground.ends(sources).items() if end}
        count = -1
        used, at, heard = Usage(0, 0), 0.0, time.monotonic()
        while True:
            now = sum(self._ground.ends([sink]).values())
            if now != count:
                count, used, at = now, process.usage(), time.monotonic()
                heard = at
            done = self._ground.admin.list_group_offsets({ROUTING: list(ends)})[ROUTING]
            all_done = all(place in done and done[place].offset >= end for place, end in ends.items())
            if all_done and now == sum(self._ground.ends([sink]).values()):
                return used, at
            process.must_live()
            if time.monotonic() - heard > PATIENCE:
                raise TimeoutError(f"partner-routing did not finish: {count} facts so far")
            time.sleep(POLL)

    @contextmanager
    def _keys(self) -> Iterator[str]:
        """A server that stands for intake; its address."""
        own = authority.ensure(self._ground.stack.home).issue("service", "intake")
        server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        intake_pb2_grpc.add_KeysServicer_to_server(_Keys(self._secret), server)
        [port] = ports.pick(["KEYS"]).values()
        address = f"127.0.0.1:{port}"
        pair = own.key.read_bytes(), own.certificate.read_bytes()
        server.add_secure_port(
            address, grpc.ssl_server_credentials([pair], own.authority.read_bytes(), require_client_auth=True)
        )
        server.start()
        try:
            yield address
        finally:
            server.stop(0).wait()


def _compared(referrals: Sequence[Referral], found: Sequence[Any]) -> str:
    """What is wrong with what came, or nothing.

    Facts hold times and the hash of an encrypted copy: not their bytes are compared, but that a referral's are numbered
    without a gap, and that those which follow from what was loaded are of the same kinds as those of its like. What a
    clock brings comes when its time has come: some have run out before they are set, since what is loaded is of weeks
    ago.
    """
    facts = [(record, RoutingFact.FromString(record.value)) for record in found]
    numbers: dict[bytes, list[int]] = defaultdict(list)
    for record, fact in facts:
        numbers[record.key].append(fact.header.sequence)
    lost = sum(one.routed and one.raised.key not in numbers for one in referrals)
    gaps = sum(sorted(given) != list(range(1, len(given) + 1)) for given in numbers.values())
    if lost or gaps:
        return f"lost {lost} referrals, and facts of {gaps} others, or gave them twice"
    causes = {cause for one in referrals for cause in one.causes}
    alike = {one.raised.key: number % different() for number, one in enumerate(referrals)}
    return uneven(
        alike,
        [
            (record.key, fact.header.event_id, (fact.WhichOneof("fact"), _place(record)))
            for record, fact in facts
            if fact.header.cause_id in causes or record.key not in alike
        ],
    )


def _place(record: Any) -> bool:
    """Whether it lies where its key belongs."""
    right: bool = record.partition == partition_of(record.key, PARTITIONS)
    return right


def _triaged(raised: Loaded) -> Referral:
    facts = decided(raised)
    said = [Loaded(raised.key, fact.SerializeToString(deterministic=True)) for fact in facts]
    causes = [IntakeFact.FromString(raised.value).header.event_id, *(fact.header.event_id for fact in facts)]
    return Referral(raised, said, any(fact.HasField("routed") for fact in facts), causes)


class _Keys(intake_pb2_grpc.KeysServicer):
    """Makes again the keys under which `openable_facts` sealed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def Open(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.OpenRequest, context: grpc.ServicerContext
    ) -> Any:
        """See the proto."""
        response = intake_pb2.OpenResponse()
        for referral_id in request.referral_ids:
            for key_id in key_ids():
                response.keys.add(referral_id=referral_id, key_id=key_id, key=key_of(self._secret, referral_id, key_id))
        return response
