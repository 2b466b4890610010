"""Versioned creation of vector collections, and the switch of a space."""
