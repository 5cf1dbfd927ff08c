"""Notebooks side by side: what changed between two of them, and how three become one."""
