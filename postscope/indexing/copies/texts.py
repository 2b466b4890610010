"""Whether one text is a copy of another: the same words, or most of the one's pieces found in the other.

The share of pieces is taken of the shorter text (containment, Broder 1997), so that added hashtags, links, quotes and
comments do not count against it. Pieces of short words (the, and, for) weigh less than those of longer, rarer ones,
and too little shared weight is no copy: two short texts may be alike by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Final

import regex

from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.fingerprints import words

LEAST_SHARED: Final = 15.0
"""Weight of the pieces that two texts share, at least: some three words of five letters and more."""
LEAST_CONTAINED: Final = 0.72
"""Share of the shorter text that must be found in the longer. Texts that are alike by chance stay below 0.6; two
typos in a line leave 0.8."""
_PIECE: Final = 4
_LONG_WORD: Final = 5
_SHORT_WEIGHT: Final = 0.4
_DENSE_WEIGHT: Final = 2.5
_DENSE: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]")
_HANDLE: Final = regex.compile(r"(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.]{1,60}|(?<![\p{L}\p{N}])RT(?= *@)")
_TAG: Final = regex.compile(r"#[\p{L}\p{M}\p{N}_]{1,100}")
_LINK: Final = regex.compile(r"(?:https?://|www\.)\S*+", regex.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextPrint:
    """A text as it is compared.

    Attributes:
        text: as it came.
        told: its folded words, without links and without the handles it speaks to.
        pieces: every run of four letters in it, and its weight.
        weight: of all of them.
    """

    text: str
    told: str
    pieces: dict[str, float]
    weight: float


def text_print(text: str) -> TextPrint:
    """Prepare a text for comparisons."""
    found = words(_HANDLE.sub(" ", text))
    pieces = _pieces(found)
    return TextPrint(text, " ".join(found), pieces, fsum(pieces.values()))


def compare_texts(asked: TextPrint, kept: TextPrint) -> CopyVerdict | None:
    """Whether ``asked`` is a copy of ``kept``; None if not. Symmetric but for the words of ``changes``."""
    less = min(asked.weight, kept.weight)
    if less < LEAST_SHARED:
        return None
    common = asked.pieces.keys() & kept.pieces.keys()
    shared = fsum(min(asked.pieces[piece], kept.pieces[piece]) for piece in common)  # in any order the same
    contained = shared / less
    if shared < LEAST_SHARED or contained < LEAST_CONTAINED:
        return None
    same = asked.told == kept.told
    union = asked.weight + kept.weight - shared
    resemblance = shared / union
    score = 1.0 if same else min(0.99, 0.5 + 0.5 * (0.7 * contained + 0.3 * resemblance))
    return CopyVerdict(
        "text",
        round(score, 4),
        _changes(asked, kept, contained, same=same),
        _changes(kept, asked, contained, same=same),
        {"contained": round(contained, 4), "resemblance": round(resemblance, 4), "same_words": same},
    )


def _changes(asked: TextPrint, kept: TextPrint, contained: float, *, same: bool) -> tuple[str, ...]:
    if asked.text == kept.text:
        return ()
    found = []
    if set(_TAG.findall(asked.text)) - set(_TAG.findall(kept.text)):
        found.append("hashtags added")
    if set(_LINK.findall(asked.text)) != set(_LINK.findall(kept.text)):
        found.append("links changed")
    if same:
        return (*found, "case, punctuation or look-alike letters")
    if len(asked.told) < 0.85 * len(kept.told):
        found.append("shortened")
    elif len(asked.told) > 1.15 * len(kept.told):
        found.append("words added")
    if contained < 0.97:
        found.append("words changed")
    return tuple(found) or ("words moved",)


def _pieces(found: list[str]) -> dict[str, float]:
    """Of the words with one space between, each piece once, at the weight of the longest word that it touches."""
    told = " ".join(found)
    weights: list[float] = []
    for word in found:
        dense = _DENSE.search(word) is not None
        weight = _DENSE_WEIGHT if dense else 1.0 if len(word) >= _LONG_WORD else _SHORT_WEIGHT
        weights += [weight] * len(word) + [0.0]
    return {
        told[start : start + _PIECE]: max(weights[start : start + _PIECE]) for start in range(len(told) - _PIECE + 1)
    }
