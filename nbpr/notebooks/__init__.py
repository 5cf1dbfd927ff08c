"""One notebook: read, edited, cleaned, byte for byte."""
