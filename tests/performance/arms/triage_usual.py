"""The same rules written the usual way: a stock agent, one find, one update, and one awaited send for each fact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.deciding import Context, Upstream
from services.chassis.engine.document import stamp
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.performance.arms.hop_faust import stock_app, work
from tests.performance.arms.told import told


def main() -> None:
    """Work until ended."""
    app = stock_app()
    decider = TriageDecider()
    area = Area(Path(told()["environment"]["TRIAGE_AREA"]))
    actor = Actor(role=ROLE_SERVICE, id="triage")
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(told()["mongo_url"])
    referrals = client[told()["environment"]["TRIAGE_MONGO_DATABASE"]]["usual"]
    source = app.topic(told()["source"], value_type=bytes, value_serializer="raw", key_serializer="raw")
    sink = app.topic(told()["sinks"][0], value_serializer="raw", key_serializer="raw")

    @app.agent(source)
    async def triage(stream: Any) -> None:
        async for event in stream.events():
            fact = IntakeFact.FromString(event.value)
            header = fact.header
            stored = await referrals.find_one({"_id": header.referral_id})
            if stored is not None:
                continue
            state = decider.evolve(decider.initial(), "intake", fact)
            given = Upstream(header.referral_id, header.event_id, header.actor, "intake", fact)
            now = datetime.now(UTC)
            facts = stamp(
                decider.decide(state, given, Context(now, area, {}, actor)),
                header.referral_id,
                0,
                now,
                actor,
                header.event_id,
            )
            for one in facts:
                state = decider.evolve(state, "triage", one)
            raws = [one.SerializeToString() for one in facts]
            await referrals.update_one(
                {"_id": header.referral_id},
                {"$set": {"intake": [event.value], "triage": raws, "view": decider.view(state)}},
                upsert=True,
            )
            for raw in raws:
                await sink.send(key=event.key, value=raw)

    work(app)


if __name__ == "__main__":
    main()
