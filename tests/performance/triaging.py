"""Rows 3 and 9: the real triage service beside the same rules written the usual way, and as its store grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Context, Upstream
from services.chassis.engine.document import stamp
from services.cli.local import authority, credentials, environments, plan, ports
from services.cli.local.environments import AREAS
from services.triage.area import Area
from services.triage.domain import INTAKE, TRIAGE, TriageDecider
from tests.performance.delivered import What, as_it_is, forwarded, timeless
from tests.performance.ground import Ground, Loaded
from tests.performance.hop import WARM, Hop
from tests.performance.result import Claim, Contest, flat
from tests.performance.work import raised_facts

DATABASE = "triage_bench"
FLOOR = "floor: bare loop"
ACTOR = Actor(role=ROLE_SERVICE, id=TRIAGE)


def beside_usual(ground: Ground, events: int) -> Contest:
    """Row 3."""
    hop = _hop(ground, events, "triage")
    return Contest(
        "triage",
        f"{events:,} concerns of the scenario, each a new referral: rules, store and all facts published",
        {
            "triage": lambda: hop.run("triage_real"),
            "usual way": lambda: hop.run("triage_usual"),
            FLOOR: lambda: hop.run("triage_floor"),
        },
        [
            Claim("3", "real triage to the same rules written the usual way", "triage", "usual way", 8),
            Claim("3.floor", "real triage to the same rules in a bare loop", "triage", FLOOR, 0),
        ],
    )


def grown(ground: Ground, sizes: Sequence[int], events: int) -> Contest:
    """Row 9: what a referral costs when so many are stored already."""
    arms = {f"{size:,} stored": size for size in sizes}
    return Contest(
        "as triage's store grows",
        f"{events:,} new referrals, measured after so many others",
        {
            name: partial(_hop(ground, size + events, f"grown.{size}", warm=size).run, "triage_real")
            for name, size in arms.items()
        },
        flat("9", "triage", "referrals", arms),
        arms,
    )


def _hop(ground: Ground, events: int, name: str, warm: int = 0) -> Hop:
    """`warm`: so many events come first, and are not measured."""
    source, sink = ground.topics([f"bench.{name}.in", f"bench.{name}.out"])
    records = list(raised_facts(events))
    ground.load(source, records)
    told = environment(ground)

    def anew() -> None:
        """An empty store and an empty topic: triage refuses to run where its topic is ahead of its store."""
        ground.store.drop_database(DATABASE)
        ground.forget_group(TRIAGE)
        ground.empty(sink)

    return Hop(
        ground,
        source,
        [sink],
        events,
        _expected(sink, records),
        _what,
        anew,
        {"environment": told},
        warm / events or WARM,
    )


def environment(ground: Ground, service: str = TRIAGE, database: str = DATABASE) -> Mapping[str, str]:
    """A service's settings as the local stack makes them, but for the administrator's login and a database apart."""
    stack = ground.stack
    known = ports.remembered(stack.home, plan.PORT_NAMES)
    secrets = credentials.load(stack.home)
    issuer = authority.ensure(stack.home)
    told = environments.settings(stack.home, known, secrets, stack.area, issuer, service)
    login = ground.settings
    told |= {
        "KAFKA_USERNAME": login["username"],
        "KAFKA_PASSWORD": login["password"],
        "MONGO_DATABASE": database,
        "LOG_LEVEL": "WARNING",
    }
    picked = ports.pick(["GRPC", "HTTP"])
    told |= {f"{name}_ADDRESS": f"127.0.0.1:{port}" for name, port in picked.items()}
    return {f"{service.replace('-', '_').upper()}_{name}": value for name, value in told.items()}


def _expected(sink: str, records: list[Loaded]) -> Counter[What]:
    """What must lie on its topic."""
    return Counter(
        forwarded(sink, Loaded(record.key, timeless(fact))) for record in records for fact in decided(record)
    )


def decided(record: Loaded) -> Sequence[TriageFact]:
    """What triage must decide of what was raised, by its own decider."""
    decider, now = TriageDecider(), datetime.now(UTC)
    fact = IntakeFact.FromString(record.value)
    header = fact.header
    state = decider.evolve(decider.initial(), INTAKE, fact)
    given = Upstream(header.referral_id, header.event_id, header.actor, INTAKE, fact)
    facts = decider.decide(state, given, Context(now, _area(), {}, ACTOR))
    return stamp(facts, header.referral_id, 0, now, ACTOR, header.event_id)


@cache
def _area() -> Area:
    return Area(AREAS / environments.default_area())


def _what(record: Any) -> What:
    """A fact of triage's: all of it but its times, which are of the moment at which it was decided."""
    return as_it_is(record._replace(value=timeless(TriageFact.FromString(record.value))))
