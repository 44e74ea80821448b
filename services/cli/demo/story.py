"""What a partner answers to a copy, as its story in the scenario has it. Pure."""

from collections.abc import Iterator, Sequence

from safeguarding.v1 import partner_pb2
from safeguarding.v1.partner_pb2 import AUDIENCE_VICTIM, Copy, Reply
from services.cli.scenario import ExpectedPartner, ScenarioConcern
from services.cli.scenario_file import ReplyWord

NOTE = "Seen in person. What was agreed is in our own record."
"""What a partner adds to its outcome; it may be personal, so it travels sealed."""
TOLD = "told"


def replies(copy: Copy, stated: ScenarioConcern, partner: ExpectedPartner) -> Iterator[Reply]:
    """The answers to one copy, in order. Their ids follow from leg and place, so a repeat is known as one."""
    said = _said(copy, partner)
    for place, word in said:
        yield _reply(copy, f"{place}-{word}", word, partner)
    words = [word for _, word in said]
    tells = stated.ending.victim is not None and stated.ending.victim.told_by == "lead"
    if copy.offer.lead and tells and stated.ending.victim and "declined" not in words:
        told = partner_pb2.ToldReply(audience=AUDIENCE_VICTIM, not_told=stated.ending.victim.not_told)
        yield Reply(reply_id=f"{copy.leg_id}:{TOLD}", referral_id=copy.referral_id, leg_id=copy.leg_id, told=told)


def note_of(reply: Reply, partner: ExpectedPartner) -> str:
    """What the partner has to say beside the step; empty for nothing."""
    return NOTE if reply.HasField("outcome") else partner.question if reply.HasField("asked") else ""


def _said(copy: Copy, partner: ExpectedPartner) -> Sequence[tuple[int, ReplyWord]]:
    """What it says to this copy: up to its question to an offer, what follows once that was answered."""
    said = [(place, word) for place, word in enumerate(partner.replies) if word != "recall_acknowledged"]
    asks = next((place + 1 for place, word in said if word == "asked"), len(said))
    match copy.WhichOneof("content"):
        case "offer":
            return said[:asks]
        case "answer":
            return said[asks:]
        case "recall":
            return [each for each in enumerate(partner.replies) if each[1] == "recall_acknowledged"]
        case _:
            return []


def _reply(copy: Copy, step: str, word: ReplyWord, partner: ExpectedPartner) -> Reply:
    reply = Reply(reply_id=f"{copy.leg_id}:{step}", referral_id=copy.referral_id, leg_id=copy.leg_id)
    match word:
        case "received":
            reply.received.SetInParent()
        case "accepted":
            reply.accepted.SetInParent()
        case "declined":
            reply.declined.reason = partner.declined or partner_pb2.DECLINE_REASON_UNSPECIFIED
        case "in_progress" | "on_hold":
            reply.progress.on_hold = word == "on_hold"
        case "completed":
            reply.outcome.outcome = partner.outcome
        case "failed":
            reply.failed.reason = partner.failed or partner_pb2.FAILURE_REASON_UNSPECIFIED
        case "asked":
            reply.asked.SetInParent()
        case "recall_acknowledged":
            reply.recall_acknowledged.SetInParent()
    return reply
