"""Rows 4 and 5: RaiseConcern beside an empty handler and the usual way, RaiseConcerns beside a bare producer."""

from __future__ import annotations

from collections import Counter

from tests.performance.calling import IN_FLIGHT, TOGETHER, Desk, clear_concern, clear_fact, stated
from tests.performance.ground import Ground
from tests.performance.hop import Hop
from tests.performance.result import LIMIT, Claim, Contest
from tests.performance.work import raised_facts

EMPTY_STOCK, EMPTY_ASYNCIO = "empty handler, grpc.server", "empty handler, grpc.aio"
"""gRPC's own two kinds of server, of which the first takes less: 190 to 290 µs a call, the other 270 to 370."""
EMPTY_OWN = "empty handler, our server"
"""On gRPC's first kind as services/chassis/arrivals.py drives it: 110 µs. What makes our calls cheaper makes this floor
cheaper too, so it says how much of a call is not gRPC, and has no goal."""
PRODUCER = "floor: bare producer"
UNARY_WHY = (
    "of some 335 µs a call, the thread on which gRPC serves takes 167 (51 of it sealing and match keys; the rest gRPC,"
    " field rules, the request's HMAC, identity and directory), the engine's 75, the one that answers 34, the publisher"
    " 29, gRPC's own threads 25. The usual way seals nothing, links nothing and refuses no repeat. A bare handler that"
    " does only what a concern cannot do without (4.limit) takes 220 and reaches 2.5 to 3.5 times the usual way: at 3"
    " nothing is left for identity, room, repeats, the referral's state, headers, traces and metrics."
)
STREAM_WHY = (
    "the producer sends bytes that are ready. Of some 155 µs a concern, sealing (seven parts under three keys of its"
    " own, each wrapped) takes 32 and its match keys 19, field rules and HMAC 12, the engine's thread 47, the publisher"
    " 9. A bare handler that does only what a concern cannot do without (5.limit) takes 97 or more, which is 0.10 to"
    " 0.23 of the producer; sealing and match keys alone take as long as four of its records."
)


def unary(ground: Ground, calls: int) -> Contest:
    """Row 4."""
    desk = Desk(ground)
    return Contest(
        "RaiseConcern",
        f"{calls:,} calls, {IN_FLIGHT} in flight, mTLS in all arms; CPU of the serving process. The goal of 4.empty"
        " is held against the faster of gRPC's own two kinds of server, the synchronous one",
        {
            "intake": lambda: desk.unary("intake_real", calls, desk.sink),
            EMPTY_STOCK: lambda: desk.unary("intake_empty", calls),
            EMPTY_ASYNCIO: lambda: desk.unary("intake_empty_aio", calls),
            EMPTY_OWN: lambda: desk.unary("intake_empty_ours", calls),
            "usual way": lambda: desk.unary("intake_usual", calls, desk.usual_sink, clear_concern),
            LIMIT: lambda: desk.unary("intake_limit", calls, desk.limit_sink),
        },
        [
            Claim(
                "4.empty", "unary RaiseConcern to an empty handler on gRPC's faster server", "intake", EMPTY_STOCK, 0.4
            ),
            Claim("4.empty.aio", "the same to an empty handler on grpc.aio", "intake", EMPTY_ASYNCIO, 0),
            Claim("4.empty.own", "the same to an empty handler on the services' own server", "intake", EMPTY_OWN, 0),
            Claim(
                "4.usual", "unary RaiseConcern to the usual way", "intake", "usual way", 3, reached=1.6, why=UNARY_WHY
            ),
            Claim("4.limit", "only what a concern cannot do without, to the usual way", LIMIT, "usual way", 0),
        ],
    )


def stream(ground: Ground, concerns: int) -> Contest:
    """Row 5."""
    desk = Desk(ground)
    [sink] = ground.topics(["bench.produced"])
    expected = Counter(map(stated, raised_facts(concerns)))
    hop = Hop(ground, "", [sink], concerns, expected, clear_fact, extra={"events": concerns})
    return Contest(
        "RaiseConcerns",
        f"{concerns:,} concerns in messages of {TOGETHER}, beside as many facts written by kafka-python's producer",
        {
            "intake": lambda: desk.stream(concerns),
            PRODUCER: lambda: hop.run("produce"),
            LIMIT: lambda: desk.stream(concerns, arm="intake_limit", sink=desk.limit_sink),
        },
        [
            Claim(
                "5",
                "stream RaiseConcerns to kafka-python's own producer",
                "intake",
                PRODUCER,
                0.25,
                reached=0.08,
                why=STREAM_WHY,
            ),
            Claim("5.limit", "only what a concern cannot do without, to the same producer", LIMIT, PRODUCER, 0),
        ],
    )
