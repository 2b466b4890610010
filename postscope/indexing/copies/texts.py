"""Whether one text is a copy of another: the same words, or most of the one's pieces found in the other.

The share of pieces is taken of the shorter text (containment, Broder 1997), so that added hashtags, links, quotes and
comments do not count against it. Pieces of short words (the, and, for) weigh less than those of longer, rarer ones,
and too little shared weight is no copy: two short texts may be alike by chance.

What two texts share may be a phrase that anybody uses, where it is little of the longer one. Then, and where a text is
short, the shorter must stand in the longer as one run, with whom it speaks to, but for a few typing errors: a text that
was cut off, quoted or passed on does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Final

import regex

from postscope.indexing.copies.runs import edits_in_run
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.fingerprints import words

LEAST_CONTAINED: Final = 0.72
"""Share of the shorter text that must be found in the longer. Texts that are alike by chance stay below 0.6; two
typos in a line leave 0.8."""
MUCH_SHARED: Final = 25.0
"""Weight of the shared pieces that is no common phrase any more: some five words of five letters and more."""
LEAST_SHARED: Final = 15.0
"""Weight of the shared pieces, at least, where the two texts have little else: some three such words."""
LEAST_RESEMBLANCE: Final = 0.4
"""Share of all pieces of both texts that both have, where they share less than ``MUCH_SHARED``."""
_LEAST_RUN: Final = 7.0
"""Weight of a text that stands in another as one run: "@mara thank you" has less."""
_LEAST_RUN_AMONG: Final = 9.5
"""The same where there is much else: "@mara ok thank you" has less."""
_MUCH_ELSE: Final = 0.3
"""Resemblance below which there is much else."""
_LEAST_RUN_TO_NOBODY: Final = 12.0
"""The same where it speaks to nobody: "good morning" has less. Where there is much else, ``LEAST_SHARED``."""
_LEAST_IN_RUN: Final = 0.55
"""Share of the shorter text below which there is no use in looking for it as a run."""
_LONGEST_RUN: Final = 300
_LONGEST_AROUND: Final = 1_000
"""Letters of texts that runs are looked for in; the pieces of longer ones tell enough."""
_RIGHT_LETTERS: Final = 20
"""Letters of a run to each typing error, and one more is let pass."""
_PIECE: Final = 4
_LONG_WORD: Final = 5
_SHORT_WEIGHT: Final = 0.4
_DENSE_WEIGHT: Final = 2.5
_DENSE: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]")
_HANDLE: Final = regex.compile(r"(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.]{1,60}|(?<![\p{L}\p{N}])RT(?= *@)")
_TAG: Final = regex.compile(r"#[\p{L}\p{M}\p{N}_]{1,100}")
_PASSED_ON: Final = regex.compile(r"(?<![\p{L}\p{N}])RT *@[\p{L}\p{N}_.]{1,60}")
_NUMBER: Final = regex.compile(r"\p{N}++")
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
    if less < _LEAST_RUN:
        return None
    common = asked.pieces.keys() & kept.pieces.keys()
    shared = fsum(min(asked.pieces[piece], kept.pieces[piece]) for piece in common)  # in any order the same
    contained = shared / less
    resemblance = shared / (asked.weight + kept.weight - shared)
    if not _share_enough(shared, contained, resemblance) and not _is_run(asked, kept, contained, resemblance):
        return None
    same = asked.told == kept.told
    score = 1.0 if same else min(0.99, 0.5 + 0.5 * (0.7 * contained + 0.3 * resemblance))
    return CopyVerdict(
        "text",
        round(score, 4),
        _changes(asked, kept, contained, same=same),
        _changes(kept, asked, contained, same=same),
        {"contained": round(contained, 4), "resemblance": round(resemblance, 4), "same_words": same},
    )


def _share_enough(shared: float, contained: float, resemblance: float) -> bool:
    if contained < LEAST_CONTAINED:
        return False
    return shared >= MUCH_SHARED or (shared >= LEAST_SHARED and resemblance >= LEAST_RESEMBLANCE)


def _is_run(asked: TextPrint, kept: TextPrint, contained: float, resemblance: float) -> bool:
    """Whether the shorter text stands in the longer in one piece."""
    if contained < _LEAST_IN_RUN:
        return False
    spoken = sorted(((_spoken(one), one) for one in (asked, kept)), key=lambda had: (len(had[0]), had[0], had[1].told))
    (part, shorter), (whole, _) = spoken
    if len(part) > _LONGEST_RUN or len(whole) > _LONGEST_AROUND:
        return False
    among = resemblance < _MUCH_ELSE
    least = _LEAST_RUN_AMONG if among else _LEAST_RUN
    if part == shorter.told:
        least = LEAST_SHARED if among else _LEAST_RUN_TO_NOBODY
    if shorter.weight < least:
        return False
    edits = edits_in_run(part, whole)
    if edits == 0:
        return True
    # other numbers are other facts, not typing errors
    same_numbers = set(_NUMBER.findall(part)) <= set(_NUMBER.findall(whole))
    few = edits <= 1 + len(part) // _RIGHT_LETTERS
    return few and same_numbers and shorter.weight >= _LEAST_RUN_TO_NOBODY


def _spoken(told: TextPrint) -> str:
    """Its folded words with the handles it speaks to, but not of whom it was passed on from."""
    return " ".join(words(_PASSED_ON.sub(" ", told.text)))


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
