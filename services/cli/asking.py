"""Asks for a concern one question at a time, as somebody on a doorstep can answer; each answer is checked at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
    CONCERN_KIND_DOMESTIC_ABUSE,
    CONCERN_KIND_REOFFENDING,
    CONCERN_KIND_ROAD_DANGER,
    CONCERN_KIND_RURAL_CRIME,
    ConcernKind,
    SubjectRole,
)
from safeguarding.v1.concern_pb2 import Concern, Signs, SpeedReading, Subject, Vehicle
from services.chassis import checking
from services.chassis.areas import Areas
from services.chassis.language import EnumWords
from services.cli.exits import usage

SIGNS = {
    "child_lives_here": "A child lives in the household, there or not",
    "child_under_five": "A child under five, or an unborn child, is affected",
    "school_age_child": "A child of school age is affected",
    "care_and_support_needs": "The adult has care and support needs",
    "cannot_protect_self": "The adult cannot protect themselves because of those needs",
    "judged_high_risk": "In your judgement the risk is high",
    "exploitation_signs": "Signs of exploitation: unexplained money, going missing, older associates",
    "weapon": "A weapon was seen or mentioned",
    "rural": "It happened in the country",
    "business_victim": "The victim is a business",
    "leaving_prison": "The person left prison, or will within 28 days",
    "no_settled_home": "The person has nowhere settled to live",
    "substance_use": "Drugs or alcohol play a part",
    "consents_to_support": "The person agrees to their details being shared for support",
    "vulnerable_appearance": "Vulnerable, by how the person looks: injured, unwell, neglected, under an influence",
    "vulnerable_behaviour": "Vulnerable, by how they behave: distressed, frightened, withdrawn, harming themselves",
    "vulnerable_communication": "Vulnerable, by how they communicate: not understood, or somebody speaks for them",
    "vulnerable_danger": "Vulnerable, by the danger they are in or put others in",
    "vulnerable_environment": "Vulnerable, by where and how they live: unfit, unsafe, alone, controlled",
    "home_educated": "The child of school age is taught at home",
}
SIGNS_OF: Mapping[int, Mapping[str, str]] = {
    CONCERN_KIND_DOMESTIC_ABUSE: {"heard_at_marac": "The person was heard at a MARAC within the last twelve months"},
    CONCERN_KIND_REOFFENDING: {
        "iom_managed": "The person is managed by integrated offender management (IOM)",
        "mappa_level_2": "The person is managed under MAPPA at level 2",
        "mappa_level_3": "The person is managed under MAPPA at level 3",
        "no_work": "The person looks for work, or cannot keep it",
        "health_need": "The person needs help with the health of body or mind",
    },
}
"""Signs that are asked only where the concern is of that kind."""
PERSON = (
    ("identity.given_names", "Given names"),
    ("identity.family_name", "Family name, or name of the business"),
    ("identity.date_of_birth", "Date of birth (YYYY-MM-DD)"),
    ("contact.address", "Address without the postcode"),
    ("contact.postcode", "Postcode"),
    ("contact.telephone", "Telephone"),
    ("contact.safe_contact", "When and how it is safe to make contact"),
    ("circumstances.health", "Disability or health"),
    ("circumstances.interpreter", "Language for which an interpreter is needed"),
)
RAISER = (
    ("name", "Your name"),
    ("contact.telephone", "Your telephone"),
    ("contact.email", "Your e-mail"),
    ("organisation", "Your organisation or scheme"),
    ("interpreter", "Language for which you need an interpreter"),
    ("accessibility", "How you want to hear, such as large print or easy read"),
)
PLACE = (
    ("description", "Where it happened"),
    ("postcode", "Postcode of the place"),
    ("grid_reference", "Grid reference"),
    ("three_words", "Three words (what3words)"),
)
VEHICLE = (
    ("registration", "Registration of a vehicle"),
    ("description", "Make and colour of it"),
    ("livestock", "Livestock or machinery: kind, number, marks"),
)


def concern(areas: Areas) -> Concern:
    """Ask for all of it. Questions go to standard error, so that the answer can be piped."""
    with _somebody_there():
        return _concern(areas)


def words(question: str) -> str:
    """Some lines, ended by an empty one; asked again while there are none."""
    with _somebody_there():
        return _words(question)


def answers(into: Any) -> None:
    """Optional questions, each with the words that may be chosen; an empty answer leaves one out."""
    with _somebody_there():
        for field in into.DESCRIPTOR.fields:
            words = list(EnumWords(field.enum_type))
            chosen = _choose_several(f"{_said(field.name)}? (optional)", words, at_least=0, at_most=1)
            if chosen:
                setattr(into, field.name, chosen[0])


def _concern(areas: Areas) -> Concern:
    found = Concern()
    kinds = _choose_several("What is it about?", list(EnumWords(ConcernKind.DESCRIPTOR)), at_least=1)
    found.kinds.extend(kinds)  # type: ignore[arg-type]  # ints of the enum
    codes = [area.code for area in areas.areas]
    found.area = codes[_choose("In which area?", [area.name for area in areas.areas])]
    _ask_signs(found)
    found.narrative.text = _words("What happened? In your own words; an empty line ends it.")
    _ask_fields(found, "place", PLACE)
    if {CONCERN_KIND_RURAL_CRIME, CONCERN_KIND_ROAD_DANGER} & set(found.kinds):
        _ask_fields(found, "vehicle", VEHICLE)
    if CONCERN_KIND_ROAD_DANGER in found.kinds:
        _ask_speeds(found)
    while typer.confirm("Add a person it is about?" if not found.subjects else "Another person?", err=True):
        found.subjects.append(_subject())
    found.anonymous = typer.confirm("Do you want to stay unknown, and not be told what comes of it?", err=True)
    if not found.anonymous:
        _ask_fields(found, "raiser", RAISER)
    return found


def _words(question: str) -> str:
    while True:
        typer.echo(question, err=True)
        lines: list[str] = []
        while line := typer.prompt(">", default="", show_default=False, prompt_suffix=" ", err=True):
            lines.append(line)
        if lines:
            return "\n".join(lines)


@contextmanager
def _somebody_there() -> Generator[None]:
    """Who ends the questions early gives up; where nobody sits at a terminal, the command line was wrong."""
    try:
        yield
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise usage("the answers ended too early", "answer every question, or give --file, or --file -") from None


def _ask_signs(found: Concern) -> None:
    found.signs.immediate_danger = typer.confirm("Is somebody in danger now?", err=True)
    if found.signs.immediate_danger:
        typer.echo("Call 999 first. This record does not call anybody.", err=True)
    signs = dict(SIGNS)
    for kind in found.kinds:
        signs |= SIGNS_OF.get(kind, {})
    chosen = _choose_several("Which of these are so?", list(signs.values()), at_least=0, at_most=len(signs))
    for number in chosen:
        setattr(found.signs, list(signs)[number - 1], True)
    if CONCERN_KIND_DOMESTIC_ABUSE in found.kinds:
        _ask_number(found.signs, "dash_score", "How many DASH questions were answered yes? (empty: not asked)")
        _ask_number(found.signs, "abuse_events_in_twelve_months", "Events in twelve months, this one included")
    if CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR in found.kinds:
        _ask_number(found.signs, "complaints_in_six_months", "Complaints in six months, this one included")


def _subject() -> Subject:
    roles = EnumWords(SubjectRole.DESCRIPTOR)
    role = _choose("What are they to the concern?", list(roles)) + 1
    subject = Subject(role=role)  # type: ignore[arg-type]  # an int of the enum
    for path, question in PERSON:
        _ask_field(subject, path, question)
    return subject


def _ask_fields(holder: Any, name: str, questions: Sequence[tuple[str, str]]) -> None:
    for path, question in questions:
        _ask_field(holder, f"{name}.{path}", question)


def _ask_field(holder: Any, path: str, question: str) -> None:
    """One text; empty leaves it out. Asked again while it breaks the field's rule."""
    *parents, last = path.split(".")

    def take(answer: str) -> str:
        if answer:
            trial = type(holder)()
            setattr(_inner(trial, parents), last, answer)
            wrong = [found for found in checking.violations(trial) if found.field == path]
            if wrong:
                return wrong[0].right
            setattr(_inner(holder, parents), last, answer)
        return ""

    _until_taken(question, take)


def _ask_number(signs: Signs, name: str, question: str) -> None:
    def take(answer: str) -> str:
        if not answer:
            return ""
        if not answer.isdecimal() or len(answer) > 4:
            return "a whole number from 0"
        trial = Signs()
        setattr(trial, name, int(answer))
        wrong = checking.violations(trial)
        if wrong:
            return wrong[0].right
        setattr(signs, name, int(answer))
        return ""

    _until_taken(question, take)


def _ask_speeds(found: Concern) -> None:
    """As many readings as there are; each is what was measured and the limit there."""

    def take(answer: str) -> str:
        readings: list[SpeedReading] = []
        for part in answer.split():
            measured, _, limit = part.partition("/")
            if not (measured.isdecimal() and limit.isdecimal() and len(part) <= 8):
                return "measured/limit, such as 42/20 39/20"
            readings.append(SpeedReading(measured_mph=int(measured), limit_mph=int(limit)))
        wrong = checking.violations(Vehicle(speeds=readings))
        if wrong:
            return wrong[0].right
        found.vehicle.speeds.extend(readings)
        return ""

    _until_taken("Speeds measured, as measured/limit in miles an hour (empty: none)", take)


def _until_taken(question: str, take: Callable[[str], str]) -> None:
    """Ask until `take` finds nothing to say about the answer."""
    while right := take(typer.prompt(question, default="", show_default=False, err=True).strip()):
        typer.echo(f"  that is not right: {right}", err=True)


def _inner(message: Any, parents: Sequence[str]) -> Any:
    for name in parents:
        message = getattr(message, name)
    return message


def _choose(question: str, choices: Sequence[str]) -> int:
    return _choose_several(question, choices, at_least=1, at_most=1)[0] - 1


def _choose_several(question: str, choices: Sequence[str], *, at_least: int, at_most: int = 5) -> list[int]:
    """Numbers from 1; for an enum's words in their order, these are its numbers."""
    most = min(len(choices), at_most)
    typer.echo(question, err=True)
    for number, choice in enumerate(choices, start=1):
        typer.echo(f"  {number:2} {_said(choice)}", err=True)
    found: list[int] = []

    def take(answer: str) -> str:
        parts = answer.replace(",", " ").split()
        numbers = [int(part) for part in parts if part.isdecimal()]
        fine = len(numbers) == len(parts) and all(1 <= number <= len(choices) for number in numbers)
        if not fine or not at_least <= len(set(numbers)) <= most:
            return f"{'one number' if most == 1 else 'numbers, such as 1 3'}, of 1 to {len(choices)}"
        found[:] = sorted(set(numbers))
        return ""

    _until_taken(f"Number{'' if most == 1 else 's'}{'' if at_least else ', or nothing'}", take)
    return found


def _said(word: str) -> str:
    return word.replace("_", " ")
