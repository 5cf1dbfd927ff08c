"""Runs: how notebooks are run, what is kept of it, and what it proves."""
