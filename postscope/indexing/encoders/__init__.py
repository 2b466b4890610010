"""Encoders: content to unit vectors of one space."""
