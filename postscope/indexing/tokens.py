"""Text to the tokens that keyword search compares, in any script.

A ``Piece`` is what a writer would call one word: a word, a hashtag, a handle, a product code, a host, an emoji, or
a run of a script that is written without spaces. A document is indexed under more tokens than a query for the
same piece asks for: a query for a hashtag, a handle or a code means exactly that, not its parts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

import regex

MAX_CHARS: Final = 100_000
"""What is behind is not looked at; no post is longer."""
PART: Final = 0.5
"""Weight, as a share of a whole token, of a part that is found by itself: ``2041`` in ``KB-2041``."""
SINGLE: Final = 0.3
"""Weight of a single character of a run, for queries of one character."""


class Kind(StrEnum):
    """What a piece is."""

    WORD = "word"
    HASHTAG = "hashtag"
    HANDLE = "handle"
    CODE = "code"
    HOST = "host"
    EMOJI = "emoji"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a text, as it was written (in NFKC)."""

    kind: Kind
    text: str


# Scripts without spaces between words, or, as Korean, with endings grown onto them.
_RUN = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\p{Yi}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_LETTER = rf"[\p{{L}}\p{{N}}--[{_RUN}]]"
_A = rf"(?:{_LETTER}[[\p{{L}}\p{{N}}\p{{M}}\u200C\u200D]--[{_RUN}]]*+)"
_TAG = r"[\p{L}\p{M}\p{N}_\u200C\u200D]"
_NAME = rf"(?:[\p{{L}}\p{{N}}_--[{_RUN}]][[\p{{L}}\p{{N}}\p{{M}}_]--[{_RUN}]]*+)"
_TONE = r"[\uFE0F\U0001F3FB-\U0001F3FF]"
# Every repetition is possessive or bounded, and what could start anywhere in a run may start only at its head: the
# time stays linear in the length of the text.
_PIECE: Final = regex.compile(
    rf"""
      (?i:https?://(?:[^\s/?\#@]{{1,100}}@)?|www\.)(?P<url>[\p{{L}}\p{{M}}\p{{N}}.-]++)(?::\d++)?(?:[/?\#][!\#-;=?-~]*+)?
    | (?<![\p{{L}}\p{{N}}_.+-])(?P<mail>[A-Za-z0-9_.+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++)
    | (?<![\p{{L}}\p{{M}}\p{{N}}_&/])(?P<hashtag>\#(?=[\p{{M}}\p{{N}}_]*+\p{{L}}){_TAG}++)
    | (?<![\p{{L}}\p{{N}}_$])(?P<cashtag>\$[A-Za-z]{{1,6}}+)(?![\p{{L}}\p{{N}}_])
    | (?<![\p{{L}}\p{{N}}_])(?P<handle>@{_NAME}(?:[.-]{_NAME})*+(?:@{_NAME}(?:[.-]{_NAME})++)?)
    | (?<![\p{{L}}\p{{N}}_.@-])(?P<host>(?:[A-Za-z0-9-]{{1,63}}+\.){{1,8}}[a-z]{{2,24}}+)(?![\p{{L}}\p{{N}}_@])
    | (?P<symbol>(?<![\p{{L}}\p{{N}}_])[A-Za-z]{{1,16}}+(?:\+\+|\#(?!{_TAG})))
    | (?P<word>{_A}(?:[-/_]{_A}|(?<=\p{{Nd}})[.,:](?=\p{{Nd}}){_A})*+)
    | (?P<run>[{_RUN}]++)
    | (?P<emoji>\p{{RI}}{{2}}|\p{{Extended_Pictographic}}{_TONE}*+
        (?:[\U000E0020-\U000E007F]++|(?:\u200D\p{{Extended_Pictographic}}{_TONE}*+)*+))
    """,
    regex.VERSION1 | regex.VERBOSE,
)
_PARTS: Final = regex.compile(rf"(?P<word>{_A})|(?P<run>[{_RUN}]++)", regex.VERSION1)
_HUMPS: Final = regex.compile(
    r"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})"
)
_CLUSTER: Final = regex.compile(r"\P{M}\p{M}*+|\p{M}++")
_UNMARKED: Final = regex.compile(r"[\uFE0F\U0001F3FB-\U0001F3FF]")
_UNSEEN: Final = regex.compile(r"[\u200C\u200D\uFE00-\uFE0F\u20E3]")
# Accents of Latin, Greek and Cyrillic (where й, ї and ў are letters of their own), Hebrew points, Arabic vowels.
_ACCENTS: Final = regex.compile(
    r"(?<![иуі])[\u0300-\u036F]|[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u064B-\u065F\u0670\u0640]"
)
_ASCII_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ŧ": "t"}
)
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_KINDS: Final = {
    "url": Kind.HOST,
    "mail": Kind.CODE,
    "hashtag": Kind.HASHTAG,
    "cashtag": Kind.HASHTAG,
    "handle": Kind.HANDLE,
    "host": Kind.HOST,
    "symbol": Kind.CODE,
    "run": Kind.RUN,
    "emoji": Kind.EMOJI,
}


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a text in order, in linear time. What is none of them (punctuation) is passed over."""
    # NFKC may make eighteen characters out of one.
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARS])[:MAX_CHARS].translate(_DASHES)
    for match in _PIECE.finditer(plain):
        name = match.lastgroup or "word"
        found = match[name]
        if name != "word":
            yield Piece(_KINDS[name], found)
        elif any(map(str.isnumeric, found)) and any(c in found for c in "-/_.,:"):
            yield Piece(Kind.CODE, found)
        else:
            yield from _plain(found)


def query_tokens(piece: Piece) -> list[str]:
    """What a query for this piece asks for."""
    match piece.kind:
        case Kind.WORD:
            return _word(piece.text)
        case Kind.RUN:
            clusters = _CLUSTER.findall(folded(piece.text))
            return ["".join(pair) for pair in pairwise(clusters)] or clusters
        case Kind.HOST:
            return [_host(piece.text)]
        case Kind.EMOJI:
            return [_UNMARKED.sub("", piece.text)]
        case _:
            return [folded(piece.text)]


def document_tokens(piece: Piece) -> list[tuple[str, float]]:
    """What a document that has this piece is found by, with the weight of each."""
    whole = [(token, 1.0) for token in query_tokens(piece)]
    match piece.kind:
        case Kind.WORD:
            return whole
        case Kind.RUN:
            clusters = _CLUSTER.findall(folded(piece.text))
            return whole + [(cluster, SINGLE) for cluster in clusters] if len(clusters) > 1 else whole
        case Kind.HASHTAG:
            bare = _parts(piece.text, 1.0)
            humps = _parts(_HUMPS.sub(" ", piece.text), PART)
            known = {token for token, _ in bare}
            return whole + bare + [(token, weight) for token, weight in humps if token not in known]
        case Kind.EMOJI:
            joined = whole[0][0].split("\u200d")
            return whole + [(part, PART) for part in joined] if len(joined) > 1 else whole
        case _:
            return whole + _parts(piece.text, PART)


def length(piece: Piece) -> int:
    """How many words the piece counts for: a run has about one word in two characters."""
    return (len(piece.text) + 1) // 2 if piece.kind is Kind.RUN else 1


def folded(text: str) -> str:
    """Without case, and without what joins or selects shapes of letters."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text.casefold()))


def unaccented(word: str) -> str:
    """A folded word without accents; marks that make another letter (as in Hindi, Thai, й) stay."""
    if word.isascii():
        return word
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare).translate(_ASCII_LETTERS)


def _word(text: str) -> list[str]:
    exact = folded(text)
    bare = unaccented(exact)
    return [exact, bare] if bare and bare != exact else [exact]


def _plain(text: str) -> Iterator[Piece]:
    for match in _PARTS.finditer(text):
        yield Piece(Kind.RUN if match.lastgroup == "run" else Kind.WORD, match[0])


def _parts(text: str, weight: float) -> list[tuple[str, float]]:
    found = [token for part in _plain(text) for token in document_tokens(part)]
    return [(token, own * weight) for token, own in found]


def _host(text: str) -> str:
    return folded(text).strip(".-").removeprefix("www.") or folded(text)
