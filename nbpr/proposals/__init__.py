"""Proposals: from a change to a validated pull request."""
