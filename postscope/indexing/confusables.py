"""Letters that pass for others, so that a text written with them is found as the text it looks like.

A table of our own, of what is used to slip past filters: Cyrillic, Greek, Armenian, phonetic and small-capital letters
that look Latin, in the spirit of Unicode UTS #39. Compatibility forms (full width, mathematical, circled) are left to
NFKC. Texts that are really Cyrillic or Greek are folded alike on both sides of a comparison, which does no harm.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

# By Latin letter: what passes for it. Capitals are named apart where they look like another letter than their small
# form does (Cyrillic В is a B, Greek ν is a v and Ν an N).
_LOOKALIKES: Final = {
    "a": "аАαΑɑᴀӑⱥ",
    "b": "ВвΒβʙьЬƅ",
    "c": "сСϲᴄⅽɕ",
    "d": "ԁᴅđɖժ",
    "e": "еЕεΕєЄᴇҽəɛ",
    "f": "ғꜰƒϝ",
    "g": "ɡɢցԍ",
    "h": "НнΗһҺհʜħ",
    "i": "іІιΙıɪїЇӏ",
    "j": "јЈϳᴊʝ",
    "k": "кКκΚᴋқ",
    "l": "ʟłⅼӀɭ",
    "m": "мМΜᴍ",
    "n": "ηΝпПոռɴŋ",
    "o": "оОοΟσօᴏøѳ",
    "p": "рРρΡᴘϸ",
    "q": "ԛգզʠ",
    "r": "гГʀɼя",
    "s": "ѕЅꜱʂ",
    "t": "тТτΤᴛŧ",
    "u": "υսᴜʋцμ",
    "v": "νѵᴠ",
    "w": "ԝωшШᴡա",
    "x": "хХχΧ×",
    "y": "уУγΥүʏ",
    "z": "ΖζᴢʐƶʒзЗ",
}
_TABLE: Final = {ord(other): letter for letter, others in _LOOKALIKES.items() for other in others}
_DIGITS: Final = str.maketrans("013457", "oleast")
_MARKS: Final = regex.compile(r"\p{Mn}+")
_MIXED: Final = regex.compile(r"(?=[^\W_]*\p{L})(?=[^\W_]*\p{Nd})[^\W_]+")


def fold(text: str) -> str:
    """Small letters without accents, what looks like a Latin letter written as that letter; spaces stay.

    Digits inside a word count as the letters they stand for (``fr33`` is ``free``); numbers stay numbers.
    """
    wide = unicodedata.normalize("NFKC", text).translate(_TABLE).casefold().translate(_TABLE)
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", wide)).translate(_TABLE)
    return _MIXED.sub(lambda word: word[0].translate(_DIGITS), bare)
