"""`referrals demo`: the scenario played by raisers, desk and partners, each under their own identity, and counted."""
