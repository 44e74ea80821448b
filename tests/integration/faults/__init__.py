"""Tests that share a stack, which ends with them."""
