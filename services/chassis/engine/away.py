"""What the engine waits out: a store, a broker or a key service that does not answer; and too much work."""


class Away(Exception):
    """Something that we stand on does not answer. What was asked may or may not have happened.

    `what` is store, broker or keys. Records and clocks wait for it; commands answer UNAVAILABLE at once.
    """

    def __init__(self, what: str, cause: str = "") -> None:
        super().__init__(f"{what} does not answer" + (f" ({cause})" if cause else ""))
        self.what = what


class Busy(Exception):
    """More commands wait than can be answered in time; RESOURCE_EXHAUSTED with a hint when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many commands are waiting")
        self.retry_after = retry_after
        """Seconds."""
