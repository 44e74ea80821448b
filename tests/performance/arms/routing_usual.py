"""Routing written the usual way: stock agents that keep what was raised, and send each leg's copy as it is routed.

Favoured beside ours: it has one partner, minimises nothing, encrypts nothing and watches no clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo import AsyncMongoClient

from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.partner_pb2 import PartnerRecord
from safeguarding.v1.triage_pb2 import TriageFact
from tests.performance.arms.hop_faust import stock_app, work
from tests.performance.arms.told import told

NOT_YET = 0.002


def main() -> None:
    """Work until ended."""
    app = stock_app()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(told()["mongo_url"])
    referrals = client[told()["database"]]["usual"]
    raised = app.topic(told()["source"], value_type=bytes, value_serializer="raw", key_serializer="raw")
    triaged = app.topic(told()["triaged"], value_type=bytes, value_serializer="raw", key_serializer="raw")
    copies = app.topic(told()["sink"], value_serializer="raw", key_serializer="raw")

    @app.agent(raised)
    async def keep(stream: Any) -> None:
        async for event in stream.events():
            referral_id = IntakeFact.FromString(event.value).header.referral_id
            await referrals.update_one({"_id": referral_id}, {"$set": {"raised": event.value}}, upsert=True)

    @app.agent(triaged)
    async def route(stream: Any) -> None:
        async for event in stream.events():
            fact = TriageFact.FromString(event.value)
            if not fact.HasField("routed"):
                continue
            referral_id = fact.header.referral_id
            while (stored := await referrals.find_one({"_id": referral_id})) is None:
                await asyncio.sleep(NOT_YET)  # the two topics are read side by side
            legs = [{"service": leg.service, "purpose": leg.purpose} for leg in fact.routed.legs]
            await referrals.update_one({"_id": referral_id}, {"$set": {"legs": legs}})
            for number, _ in enumerate(legs):
                copy = PartnerRecord(referral_id=referral_id, leg_id=str(number), sealed_copy=stored["raised"])
                await copies.send(key=event.key, value=copy.SerializeToString())

    work(app)


if __name__ == "__main__":
    main()
