"""A labelled set of invented referrals, and what the matcher makes of it."""
