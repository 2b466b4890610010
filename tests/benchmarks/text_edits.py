"""Edits that people make to texts before they post them again; each is a function of a text and a generator."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

Edit = Callable[[str, random.Random], str]

_LOOKALIKE: Final = str.maketrans("aeocpixy", "аеосріху")


def typos(text: str, rng: random.Random) -> str:
    """Two in a short text, one more for every 25 letters of a long one: swapped, wrong or missing letters."""
    letters = list(text)
    for _ in range(max(2, len(letters) // 25)):
        place, what = rng.randrange(len(letters) - 1), rng.random()
        if what < 0.4:
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
        else:
            letters[place] = rng.choice("abcdefghijklmnopqrstuvwxyz") if what < 0.7 else ""
    return "".join(letters)


def link(text: str, rng: random.Random) -> str:
    return f"{text} http://t.co/{''.join(rng.choice('abcdefghij') for _ in range(10))}"


def hashtags(text: str, rng: random.Random) -> str:
    return f"{text} #travel #fail #{rng.choice(['news', 'wow', 'help', 'sad'])}"


def reordered(text: str, _: random.Random) -> str:
    words = text.split()
    return " ".join(words[len(words) // 2 :] + words[: len(words) // 2])


def homoglyphs(text: str, rng: random.Random) -> str:
    return "".join(letter.translate(_LOOKALIKE) if rng.random() < 0.5 else letter for letter in text)


EDITS: Final[dict[str, Edit]] = {
    "typos": typos,
    "link added": link,
    "hashtags added": hashtags,
    "reordered": reordered,
    "cut to 60%": lambda text, _: text[: int(len(text) * 0.6)] + "…",
    "homoglyphs": homoglyphs,
    "quoted with comment": lambda text, _: f"“{text}” — can you believe it? so true, the same happened to us today",
    "capitals, punctuation": lambda text, _: text.upper().replace(".", "!!!").replace(",", " -"),
    "typos, hashtags": lambda text, rng: hashtags(typos(text, rng), rng),
    "retweet, cut": lambda text, _: f"RT @someone: {text[:110]}",
}
