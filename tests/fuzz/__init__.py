"""Hostile input of every kind against every decoder, decider and RPC, in one process and without a server."""
