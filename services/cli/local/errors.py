"""What can go wrong with the local stack, each said with what would mend it."""


class StackError(Exception):
    """Something the person at the keyboard can mend; the message says how."""


class PortTaken(StackError):
    """A port that this installation uses is held by another process."""


class NotReady(StackError):
    """A process did not become healthy in time."""
