"""How posts sound. ``base`` is the swap point."""
