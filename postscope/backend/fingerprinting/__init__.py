"""Fingerprints of what is kept: making, keeping and finding them."""
