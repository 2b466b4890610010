"""In which language a text is written.

Scripts that one language writes tell it themselves; Chinese is what is written in Han characters alone, Japanese
what has kana among them. All others are told by fastText's compressed model of 176 languages (Joulin et al. 2016).
What is too short, or too much like several languages, is unknown: a wrong language is worse than none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import regex

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.weights import LANGUAGES
from postscope.indexing.normalise import normalise

MAX_CHARS: Final = 2_000
"""Of a text that are looked at."""
MIN_LETTERS: Final = 8
"""Of a script that several languages share; fewer are unknown."""
MIN_CONFIDENCE: Final = 0.4
"""Of the model, below which the language is unknown."""

_NO_LANGUAGE: Final = regex.compile(
    r"(?i:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.\S+|[\w-]+(?:\.[\w-]+)+/\S*|[@#＃]\w+|\b\w*\d\w*\b", regex.VERSION1
)
_LETTER: Final = regex.compile(r"\p{L}")
_BEYOND_LATIN: Final = regex.compile(r"[^\x00-\u024F]")

# One language each, or one that is far more often written than the others of its script.
_SCRIPTS: Final = {
    "Hangul": "ko", "Thai": "th", "Greek": "el", "Hebrew": "he", "Armenian": "hy", "Georgian": "ka", "Khmer": "km",
    "Lao": "lo", "Myanmar": "my", "Sinhala": "si", "Tamil": "ta", "Telugu": "te", "Kannada": "kn",
    "Malayalam": "ml", "Gujarati": "gu", "Gurmukhi": "pa", "Oriya": "or", "Bengali": "bn", "Ethiopic": "am",
    "Tibetan": "bo",
}  # fmt: skip
_BY_SCRIPT: Final = regex.compile(
    "|".join(
        rf"(?P<{name}>{pattern})"
        for name, pattern in [
            ("Han", r"\p{Han}"),
            ("Kana", r"[\p{Hiragana}\p{Katakana}]"),
            *((script, rf"\p{{{script}}}") for script in _SCRIPTS),
        ]
    ),
    regex.VERSION1,
)


@dataclass(frozen=True, slots=True)
class Language:
    """ISO 639-1 (639-3 where there is none shorter), None for unknown; and how sure that is, from 0 to 1."""

    code: str | None
    confidence: float


UNKNOWN: Final = Language(None, 0.0)


class LanguageDetector:
    """Tells languages. Safe to use from several threads; the model (0.9 MB) is loaded here.

    Raises:
        EncoderUnavailable: a wheel is missing.
        WeightsChanged: the model is not the pinned one.
    """

    def __init__(self) -> None:
        try:
            import fasttext
        except ImportError as error:
            raise EncoderUnavailable(f"{error}: pip install fasttext-predict") from error
        self._model: Any = fasttext.load_model(str(LANGUAGES.locate()))

    def detect(self, text: str) -> Language:
        """The language of most of the text. Defined for any string."""
        words = _words(text)
        letters = len(_LETTER.findall(words))
        if not letters:
            return UNKNOWN
        if _BEYOND_LATIN.search(words) and (told := _by_script(words, letters)) is not None:
            return told
        if letters < MIN_LETTERS:
            return UNKNOWN
        labels, scores = self._model.predict(words, 1, 0.0)
        confidence = min(float(scores[0]), 1.0) if labels else 0.0
        if confidence < MIN_CONFIDENCE:
            return Language(None, round(confidence, 4))
        return Language(labels[0].removeprefix("__label__"), round(confidence, 4))


def _words(text: str) -> str:
    """What may tell a language: no addresses, handles, hashtags or codes, in lower case where it is shouted."""
    words = " ".join(_NO_LANGUAGE.sub(" ", normalise(text[:MAX_CHARS])).split())
    capitals = sum(map(str.isupper, words))
    return words.lower() if 2 * capitals > len(words) - words.count(" ") else words


def _by_script(words: str, letters: int) -> Language | None:
    """None where most letters are of a script that several languages share."""
    counts: dict[str, int] = {}
    for match in _BY_SCRIPT.finditer(words):
        script = match.lastgroup or ""
        counts[script] = counts.get(script, 0) + 1
    han, kana = counts.pop("Han", 0), counts.pop("Kana", 0)
    # One of these says about as much as two letters of an alphabet.
    if 3 * (han + kana) > letters:
        # A Chinese text may name a Japanese thing in kana; a Japanese one has particles and endings throughout.
        if 10 * kana > han + kana:
            return Language("ja", _share(han + kana, letters))
        return Language("zh", _share(han, letters)) if han > 1 else UNKNOWN
    script, count = max(counts.items(), key=lambda item: item[1], default=("", 0))
    return Language(_SCRIPTS[script], _share(count, letters)) if 2 * count > letters else None


def _share(count: int, letters: int) -> float:
    return round(min(1.0, count / letters), 4)
