"""The first thing that is wrong with a log, and its place."""


class Diverged(Exception):
    """`place` is a file of the log, an entry, or a partition and offset."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what
