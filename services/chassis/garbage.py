"""How often Python looks for cycles: seldom, since every batch makes thousands of objects and hardly a cycle."""

import gc

LOOK_AFTER = 20_000
"""New objects until the youngest are looked at. With Python's 700 nearly half of the engine's time went there."""
LOOK_DEEPER_AFTER = 20
"""Looks at a generation until the next older one is looked at."""


def look_seldom(*, clear: bool = True) -> None:
    """Call once everything is built: what exists by then stays for good, and is never looked at again.

    What is garbage by then goes first, for 50 ms; where the process soon ends that is left out by `clear`.
    """
    if clear:
        gc.collect()
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, LOOK_DEEPER_AFTER, LOOK_DEEPER_AFTER)
