"""One file a change of the tables, in order; made from ``script.py.mako``."""
