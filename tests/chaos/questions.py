"""What partners asked raisers, and which answers reached them: one answer to each question."""

from __future__ import annotations


class Questions:
    """By referral and partner. Guarded by whoever keeps it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[str]] = {}
        self._answered: set[tuple[str, str]] = set()

    def ask(self, partner: str, referral_id: str) -> None:
        """The partner asks, perhaps again what it asked already."""
        if (referral_id, partner) not in self._answered:
            self._waiting.setdefault(referral_id, set()).add(partner)

    def answer(self, partner: str, referral_id: str) -> bool:
        """An answer reached it; False where it waits for none."""
        waiting = self._waiting.get(referral_id, set())
        if partner not in waiting:
            return False
        waiting.remove(partner)
        self._answered.add((referral_id, partner))
        return True

    def is_answered(self, partner: str, referral_id: str) -> bool:
        """Whether an answer has reached it."""
        return (referral_id, partner) in self._answered

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
        return sorted((referral, partner) for referral, partners in self._waiting.items() for partner in partners)
