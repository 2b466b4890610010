"""Text as it is matched, and text as it is stored.

``normalise`` takes out what a reader cannot see, so that two texts that look alike are alike. ``storable`` changes
nothing but what the database cannot hold; it is what people are shown again.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import regex

MAX_MARKS: Final = 30
"""Combining marks kept on one letter: the limit of the Stream-Safe Text Format (Unicode UAX #15, section 13). No
language needs more; ordering thousands of them, as normal forms demand, takes quadratic time."""

# Whatever is invisible: controls that are not white space (those are folded), format characters, blank letters
# (Hangul fillers), variation selectors, tags, noncharacters, and halves of surrogate pairs.
_HIDDEN: Final = (
    r"[\p{Cf}\p{Cs}\p{Noncharacter_Code_Point}\p{Variation_Selector}[\p{Cc}--\s]"
    r"\u034F\u115F\u1160\u17B4\u17B5\u3164\uFFA0]"
)

# What is invisible, and means something where it stands. Looking around is bounded, so that time stays linear.
_MEANT: Final = "|".join(
    (
        r"(?<=\p{Extended_Pictographic}[\uFE0F\U0001F3FB-\U0001F3FF]?)\u200D(?=\p{Extended_Pictographic})",
        r"(?<=\p{Extended_Pictographic}|[0-9#*])\uFE0F",
        # Flags of regions, such as Scotland's: a black flag, the region's code in tag letters, the cancel tag.
        r"\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F",
        # Joiners of Indic conjuncts, and the non-joiner between letters that would join (RFC 5892, appendix A).
        r"(?<=\p{Canonical_Combining_Class=Virama})[\u200C\u200D]",
        r"(?<=\p{Joining_Type=D}\p{Mn}{0,4})\u200C(?=\p{Mn}{0,4}[\p{Joining_Type=D}\p{Joining_Type=R}])",
        # Signs over a number or a verse, which are written, though Unicode counts them as format characters.
        r"\p{Prepended_Concatenation_Mark}",
    )
)
_CLEAN: Final = regex.compile(rf"({_MEANT})|{_HIDDEN}", regex.VERSION1)
# Of those, the few that Python calls printable: its own check and this one are many times as fast as ``_HIDDEN``.
_PRINTABLE_HIDDEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SEPARATORS: Final = re.compile(r"[\x1c-\x1f]")
"""Controls that Python takes for white space: invisible, they join what they stand between, as others do."""
_PILED_MARKS: Final = regex.compile(rf"(\p{{M}}{{{MAX_MARKS}}})\p{{M}}+")
_BRAILLE_BLANK: Final = "\u2800"


def normalise(text: str) -> str:
    """Text for matching: NFC, white space folded to single spaces, nothing invisible.

    Joiners stay where they carry meaning: inside emoji, in Indic conjuncts, and between Arabic letters (Persian
    writes words with a non-joiner). Any string is defined, takes linear time, and is unchanged the second time.
    """
    text = " ".join(_SEPARATORS.sub("", text).split())
    if text.isascii() and text.isprintable():
        return text
    folded = text
    if not text.isprintable() or _PRINTABLE_HIDDEN.search(text):
        text = _CLEAN.sub(r"\1", text)
    if not text.isascii():
        text = _PILED_MARKS.sub(r"\1", text)  # before, for the time that ordering takes
        if not unicodedata.is_normalized("NFC", text):
            text = _PILED_MARKS.sub(r"\1", unicodedata.normalize("NFC", text))  # one mark may have become two
        text = text.replace(_BRAILLE_BLANK, " ")
    return text if text is folded or text == folded else " ".join(text.split())


def storable(text: str) -> str:
    """The text as it came, with U+FFFD in place of NUL and of lone surrogates: PostgreSQL refuses both."""
    if "\x00" not in text and (text.isascii() or _is_unicode(text)):
        return text
    # Through UTF-16, the two halves of a pair that came apart find each other again.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair: UTF-8 can write all but those. Much faster than a search."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
