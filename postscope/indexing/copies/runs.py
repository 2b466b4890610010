"""Whether a text stands in another as one run, but for a few typing errors.

Approximate search for a string by bits (Myers 1999), with swaps of neighbours as one error (Hyyrö 2003).
"""

from __future__ import annotations


def edits_in_run(part: str, whole: str) -> int:
    """The fewest letters of ``part`` to be put in, left out, replaced or swapped so that it stands in ``whole``.

    A letter takes part in one error alone (optimal string alignment). No more than ``len(part)``; 0 for an empty part.
    Takes some microseconds a letter of ``whole``.
    """
    if part in whole:
        return 0
    size = len(part)
    every, last = (1 << size) - 1, 1 << (size - 1)
    places: dict[str, int] = {}
    for number, letter in enumerate(part):
        places[letter] = places.get(letter, 0) | 1 << number
    up, down, diagonal, before = every, 0, 0, 0
    edits = fewest = size
    for letter in whole:
        equal = places.get(letter, 0)
        swapped = ((~diagonal & equal) << 1) & before
        diagonal = ((((equal & up) + up) ^ up) | equal | down | swapped) & every
        right = down | (~(diagonal | up) & every)
        left = diagonal & up
        edits += bool(right & last) - bool(left & last)
        fewest = min(fewest, edits)
        right = (right << 1) & every  # a run may begin anywhere: nothing is counted for what stands before it
        up = ((left << 1) & every) | (~(diagonal | right) & every)
        down = right & diagonal
        before = equal
    return fewest
