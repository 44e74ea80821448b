"""Rows 4 and 5: RaiseConcern beside an empty handler and the usual way, RaiseConcerns beside a bare producer."""

from __future__ import annotations

from collections import Counter

from tests.performance.calling import IN_FLIGHT, TOGETHER, Desk, clear_concern, clear_fact, stated
from tests.performance.ground import Ground
from tests.performance.hop import Hop
from tests.performance.result import Claim, Contest
from tests.performance.work import raised_facts

EMPTY = "empty handler"
"""On the server that the services use (services/chassis/arrivals.py)."""
EMPTY_STOCK, EMPTY_ASYNCIO = "empty handler, grpc.server", "empty handler, grpc.aio"
LIMIT, PRODUCER = "limit: nothing but what must be", "floor: bare producer"
EMPTY_WHY = (
    "an empty call on the services' own server (three of gRPC's events, answered on gRPC's thread) takes 110 µs, where"
    " gRPC's own synchronous server takes 190 to 290: beside that one it was 0.44. 0.4 of the faster leaves 275 µs for"
    " a whole call. In the same rounds, beside others' work, the bare handler of 4.limit took 390 to 430 and intake"
    " 550 to 600."
)
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
    " 0.14 of the producer; sealing and match keys alone take as long as four of its records."
)


def unary(ground: Ground, calls: int) -> Contest:
    """Row 4."""
    desk = Desk(ground)
    return Contest(
        "RaiseConcern",
        f"{calls:,} calls, {IN_FLIGHT} in flight, mTLS in all arms; CPU of the serving process. The goal of 4.empty"
        " is held against an empty handler on the services' own server: of the three kinds it was by far the fastest",
        {
            "intake": lambda: desk.unary("intake_real", calls, desk.sink),
            EMPTY: lambda: desk.unary("intake_empty_ours", calls),
            EMPTY_STOCK: lambda: desk.unary("intake_empty", calls),
            EMPTY_ASYNCIO: lambda: desk.unary("intake_empty_aio", calls),
            "usual way": lambda: desk.unary("intake_usual", calls, desk.usual_sink, clear_concern),
            LIMIT: lambda: desk.unary("intake_limit", calls, desk.limit_sink),
        },
        [
            Claim(
                "4.empty",
                "unary RaiseConcern to an empty handler on the same server",
                "intake",
                EMPTY,
                0.4,
                reached=0.19,
                why=EMPTY_WHY,
            ),
            Claim("4.empty.stock", "the same to an empty handler on gRPC's own server", "intake", EMPTY_STOCK, 0),
            Claim("4.empty.aio", "the same to an empty handler on grpc.aio", "intake", EMPTY_ASYNCIO, 0),
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
                reached=0.07,
                why=STREAM_WHY,
            ),
            Claim("5.limit", "only what a concern cannot do without, to the same producer", LIMIT, PRODUCER, 0),
        ],
    )
