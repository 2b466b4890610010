"""The ``postscope`` command: the only room that knows all the others."""
