"""One run of the scenario on a fresh stack: everything is started, everybody plays, and what was seen is returned."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from safeguarding.v1 import routing_pb2
from services.cli import showing
from services.cli.demo import asked
from services.cli.demo.asked import Asked
from services.cli.demo.course import Follower
from services.cli.demo.inbox_partner import InboxPartner
from services.cli.demo.kafka_partner import KafkaPartner
from services.cli.demo.people import People, partners_of
from services.cli.demo.play import Course, Play, Stuck
from services.cli.local import environments, partners
from services.cli.local.home import CHECKOUT
from services.cli.local.stack import Stack
from services.cli.scenario import Raising, ScenarioConcern, load_scenario, prepare_area

SCENARIO = CHECKOUT / "deploy" / "local" / "scenario"
AT_ONCE = 64
"""Referrals that are played at the same time; most of them wait for somebody."""

Tell = Callable[[str], None]
KafkaOrInbox = KafkaPartner | InboxPartner


@dataclass(frozen=True)
class Played:
    """What came of a run: troubles are those that the checker cannot see, such as a refusal."""

    troubles: tuple[str, ...]
    shown: tuple[Course, routing_pb2.GetJourneyResponse] | None


def new_stack(root: Path, *, ends_with: int | None = None) -> Stack:
    """A stack in a home of its own, on free ports, whose area runs by the scenario's clocks (see Stack)."""
    area = root / "area"
    prepare_area(environments.AREAS / environments.default_area(), SCENARIO, area)
    return Stack(root, area=str(area), ends_with=ends_with)


def scenario() -> tuple[ScenarioConcern, ...]:
    """The scenario of this checkout."""
    return load_scenario(SCENARIO)


def start(stack: Stack, people: People, tell: Tell) -> None:
    """Start everything. Partners are added while the services start, so that the first look finds their topics."""
    people.enter(scenario())
    stack.start(["kafka", "mongo"], progress=tell)
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(partners.add, stack, partners_of(Path(stack.area)))
        stack.start(progress=tell)
        adding.result()
    tell(f"{len(partners.known(stack.home))} partners have topics, logins, keys and certificates")


def play(stack: Stack, people: People, play: Play) -> Played:
    """Play every raising to its end, then let the partners read their topics to the end."""
    everybody = _partners(stack, people, play)
    for partner in everybody:
        partner.start()
    follower = Follower(people, play)
    troubles = _follow(follower, play, play.raisings)
    for partner in everybody:
        try:
            partner.finish()
        except Exception as error:  # noqa: BLE001 - every partner must be ended; the run fails by what is returned
            troubles.append(f"partner {partner.id}: {_what(error)}")
    return Played(tuple(troubles), _one_journey(follower, play))


def ask(stack: Stack, people: People, play: Play, played: Played) -> tuple[Asked, Played]:
    """What people ask once it is over; nothing after a run that had trouble, which is to be looked at first."""
    if played.troubles:
        return Asked(), played
    try:
        return asked.ask(people, play, [entry["id"] for entry in partners.known(stack.home)]), played
    except (Stuck, grpc.RpcError) as error:
        return Asked(), replace(played, troubles=(f"figures of the areas: {_what(error)}",))


def _partners(stack: Stack, people: People, play: Play) -> list[KafkaOrInbox]:
    found: list[KafkaOrInbox] = []
    for entry in partners.known(stack.home):
        if entry["kafka"]:
            found.append(KafkaPartner(stack.home, entry["id"], play))
        else:
            found.append(InboxPartner(people.inbox(entry["id"]), entry["id"], play))
    return found


def _follow(follower: Follower, play: Play, raisings: Sequence[Raising]) -> list[str]:
    troubles = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="course") as pool:
        followed: list[tuple[Raising, Future[Course]]] = [
            (each, pool.submit(follower.follow, each)) for each in raisings
        ]
        for raising, future in followed:
            error = future.exception()
            if isinstance(error, Stuck | grpc.RpcError):
                troubles.append(f"{raising.stated.name} ({raising.idempotency_key}): {_what(error)}")
            elif error is not None:
                raise error
    return [*troubles, *_where_they_stand(follower, play)]


def _where_they_stand(follower: Follower, play: Play) -> list[str]:
    """Of each referral that did not come to its end, the state of it and of its legs."""
    lines = []
    for course in (course for course in play.courses() if not course.ended):
        try:
            journey = follower.journey(course.referral_id)
        except grpc.RpcError as error:
            lines.append(f"{course.title}: where it stands is not known: {_what(error)}")
            continue
        legs = ", ".join(f"{leg.partner_id} {showing.word(leg, 'state')}" for leg in journey.legs) or "no legs"
        lines.append(f"{course.title} ({course.referral_id}) stands at {showing.word(journey, 'state')}: {legs}")
    return lines


def _one_journey(follower: Follower, play: Play) -> tuple[Course, routing_pb2.GetJourneyResponse] | None:
    """The journey of the referral that the most partners heard of."""
    ended = [course for course in play.courses() if course.ended]
    if not ended:
        return None
    course = max(ended, key=lambda course: len(course.stated.partners))
    return course, follower.journey(course.referral_id)


def _what(error: BaseException) -> str:
    if isinstance(error, grpc.RpcError):
        said: Any = error  # what a call raises is a grpc.Call too, which grpc's types cannot say
        return f"{said.code().name}: {said.details()}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def remove(stack: Stack) -> None:
    """Delete the home of a run that was right: nobody needs its keys and data."""
    shutil.rmtree(stack.home.root)
