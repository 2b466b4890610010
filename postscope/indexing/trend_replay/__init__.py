"""A stream with planted bursts of known start, and how well they are found in it."""
