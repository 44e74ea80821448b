"""What a file of the scenario may say."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from safeguarding.v1.partner_pb2 import NOT_TOLD_REASON_UNSPECIFIED, OUTCOME_UNSPECIFIED
from services.chassis.areafile import Strict, Wrong
from services.chassis.language import (
    Basis,
    Decline,
    Failure,
    Grade,
    Need,
    NoFurtherAction,
    NotTold,
    Outcome,
    Preference,
    Role,
    Service,
    Stage,
)


class Raiser(Strict):
    """Who raises a concern: a name in a certificate, and the kind that the directory gives it."""

    role: Role
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=['"officer-4471"'])]
    kind: str = ""


ReplyWord = Literal[
    "received", "asked", "accepted", "declined", "in_progress", "on_hold", "completed", "failed", "recall_acknowledged"
]
"""What a partner sends; in_progress and on_hold are the two values of a progress reply. What follows asked is sent once
the raiser has answered."""


class PartnerTable(Strict):
    """A partner that must hear, and how it answers."""

    id: str
    must_get: Sequence[str]
    must_not_get: Sequence[str]
    replies: Sequence[ReplyWord]
    outcome: Outcome = OUTCOME_UNSPECIFIED
    declined: Decline | None = None
    failed: Failure | None = None
    escalated: bool = False
    question: str = ""

    def model_post_init(self, _: Any) -> None:
        """Each reply that needs a reason has it, and no other reason is stated."""
        for word, reason in (
            ("completed", self.outcome),
            ("declined", self.declined),
            ("failed", self.failed),
            ("asked", self.question),
        ):
            key = {"completed": "outcome", "asked": "question"}.get(word, word)
            if (word in self.replies) != bool(reason):
                raise Wrong(f"{word} and its {key} do not go together", f"both, or neither: {key} = …", at=("replies",))


class Ask(Strict):
    """The desk asks, and the raiser answers."""

    do: Literal["ask"]
    question: str
    answer: str
    signs: Mapping[str, bool | int] = {}
    """What is known by the answer."""


class Override(Strict):
    """The desk sets the grade by judgement."""

    do: Literal["override"]
    grade: Grade
    reason: str


class DeskLeg(Strict):
    """A leg that the desk asks for."""

    service: Service
    purpose: str
    basis: Basis
    necessity: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]
    without_consent: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")] = ""
    """The ground on which it goes ahead although the person has not agreed."""


class Route(Strict):
    """The desk routes by judgement."""

    do: Literal["route"]
    leg: Annotated[Sequence[DeskLeg], Field(min_length=1)]


class TakeNoFurtherAction(Strict):
    """The desk takes no further action."""

    do: Literal["no_further_action"]
    reason: NoFurtherAction
    note: str = ""
    by: Literal["triage", "supervisor"] = "triage"


class Recall(Strict):
    """The desk takes a leg back, once its partner has accepted it."""

    do: Literal["recall"]
    partner: str
    reason: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]


class Answer(Strict):
    """The raiser answers a partner's question."""

    do: Literal["answer"]
    partner: str
    answer: str


class Accompany(Strict):
    """The desk accompanies a victim or a business: somebody is there for them, and they are asked how it was."""

    do: Literal["accompany"]
    subject: int
    contact: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    prefers: Preference
    needs: Sequence[Need] = ()
    rights: Sequence[int]
    satisfaction: Annotated[int, Field(ge=1, le=5)]


class Confer(Strict):
    """The desk calls a case conference with a partner whose leg is open, and records what it decided."""

    do: Literal["confer"]
    stage: Stage
    partner: str
    agenda: Annotated[Sequence[Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]], Field(min_length=1)]
    decision: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]
    minutes: str


DeskAction = Annotated[
    Ask | Override | Route | TakeNoFurtherAction | Recall | Answer | Accompany | Confer, Field(discriminator="do")
]


class Victim(Strict):
    """Who tells the victim, and the reason where the victim is not told."""

    told_by: Literal["lead", "desk"]
    not_told: NotTold = NOT_TOLD_REASON_UNSPECIFIED


class Ending(Strict):
    """How the referral ends; it is always closed."""

    grade: Grade
    """The last grade, by rule or by a person."""
    outcome: Literal[
        "made_safe",
        "supported",
        "advice_given",
        "assessment_opened",
        "action_taken",
        "no_need_found",
        "not_helped",
        "no_further_action",
    ]
    """The first of these words that a completed leg states; not_helped where none was completed."""
    raiser: Literal["reads", "anonymous"]
    """The raiser reads the outcome, or nobody knows whom to tell."""
    reads: Sequence[str] = ()
    """Every one of these is in the words that the raiser reads under their own identity."""
    victim: Victim | None = None


class ConcernFile(Strict):
    """One file of the scenario."""

    story: str
    area: Annotated[int, Field(ge=1, le=6, examples=["5"])]
    """Which of the six areas of the police and crime plan it stands for."""
    raiser: Raiser
    concern: dict[str, Any]
    equality: Mapping[str, str] = {}
    """What the raiser says of themselves afterwards, apart from the case."""
    partner: Sequence[PartnerTable] = ()
    desk: Sequence[DeskAction] = ()
    ending: Ending
