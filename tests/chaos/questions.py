"""What partners asked raisers, and which answers reached them: one answer to each question."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """Who asked, and on which leg: whoever is asked in another's place has two on one referral."""

    partner: str
    leg_id: str


class Questions:
    """By referral. Guarded by whoever keeps it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Asked]] = {}
        self._answered: set[tuple[str, Asked]] = set()

    def ask(self, asked: Asked, referral_id: str) -> None:
        """The partner asks, perhaps again what it asked already."""
        if (referral_id, asked) not in self._answered:
            self._waiting.setdefault(referral_id, set()).add(asked)

    def answer(self, asked: Asked, referral_id: str) -> bool:
        """An answer reached it; False where it waits for none."""
        waiting = self._waiting.get(referral_id, set())
        if asked not in waiting:
            return False
        waiting.remove(asked)
        self._answered.add((referral_id, asked))
        return True

    def is_answered(self, asked: Asked, referral_id: str) -> bool:
        """Whether an answer has reached it."""
        return (referral_id, asked) in self._answered

    def waits(self, referral_id: str) -> bool:
        """Whether anybody waits for an answer on the referral."""
        return bool(self._waiting.get(referral_id))

    @property
    def answers(self) -> int:
        """How many there were."""
        return len(self._answered)

    @property
    def unanswered(self) -> list[tuple[str, str]]:
        """Referral and partner of each that waits."""
        return sorted((referral, asked.partner) for referral, waiting in self._waiting.items() for asked in waiting)
