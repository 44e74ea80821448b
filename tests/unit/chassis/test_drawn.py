"""Keys and nonces are drawn many at a time, and no two processes give out the same."""

import os

from services.chassis.sealing import KEY_BYTES, new_key


def test_a_process_that_was_forked_gives_out_other_keys() -> None:
    before = new_key()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, new_key())
        os._exit(0)
    os.close(write)
    theirs = os.read(read, KEY_BYTES)
    os.close(read)
    os.waitpid(child, 0)

    assert len(theirs) == KEY_BYTES
    assert len({before, new_key(), theirs}) == 3


def test_no_key_is_given_out_twice() -> None:
    assert len({new_key() for _ in range(2_000)}) == 2_000
