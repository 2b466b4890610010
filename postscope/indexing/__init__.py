"""Vectors and meaning: pure functions and small classes."""
