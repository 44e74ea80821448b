"""The command `referrals`: one module for each command, registered in `__main__`."""
