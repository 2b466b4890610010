"""Postscope: a vector-search content intelligence backend for social posts."""

__version__ = "0.1.0"
