"""The gate: all checks over what changed between two commits, one verdict, and where it is posted."""
