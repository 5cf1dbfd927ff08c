"""Setting repositories up, and saying what is missing in them."""
