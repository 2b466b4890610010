"""Scorers by setting: an English lexicon, and any transformers model that tells the three moods apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from postscope.indexing import hub
from postscope.indexing.encoders.base import EncoderError
from postscope.indexing.sentiment.base import MOODS, SentimentUnavailable, Shares, nothing
from postscope.indexing.types import Vector

MOST_CHARS = 2_000


def model_repo(model: str) -> str | None:
    """The repository on the hub that a model comes from; None where its name is that of a folder."""
    return None if Path(model).is_dir() else model


class LexiconScorer:
    """VADER (Hutto and Gilbert 2014, "VADER: a parsimonious rule-based model for sentiment analysis"), for English.

    Raises:
        SentimentUnavailable: the package is not installed.
    """

    def __init__(self) -> None:
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError as error:
            raise SentimentUnavailable("install the extra 'sentiment' for the lexicon") from error
        self._analyser = SentimentIntensityAnalyzer()

    @property
    def id(self) -> str:
        """Of the lexicon."""
        return "lexicon-vader"

    def score(self, texts: Sequence[str], vectors: Sequence[Vector | None]) -> Shares:  # noqa: ARG002
        """See ``SentimentScorer``; vectors are not looked at."""
        found = nothing(len(texts))
        for n, text in enumerate(texts):
            if text.strip():
                compound = float(self._analyser.polarity_scores(text[:MOST_CHARS])["compound"])
                # Its authors call -0.05 to 0.05 neutral; the share of the mood grows with the distance from there.
                sides = max(-compound, 0.0), 0.05, max(compound, 0.0)
                found[n] = np.array(sides) / sum(sides)
        return found


class TransformersScorer:
    """A sequence classification model of the hub or a folder, whose labels name the three moods.

    Args:
        model: a folder, or a name on the hub.
        cache_dir: where models from the hub are kept; what is not here is fetched.
        device: where it runs.

    Raises:
        SentimentUnavailable: the package or the model is not there, or its labels are others.
    """

    def __init__(self, model: str, cache_dir: Path, device: str = "cpu") -> None:
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise SentimentUnavailable("install the extra 'clip' for transformers models") from error
        try:
            repo = model_repo(model)
            folder = model if repo is None else str(hub.at_hand(repo, cache_dir, hub.library_files))
            self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(
                folder, trust_remote_code=False, use_safetensors=True
            )
        except (EncoderError, OSError, ValueError) as error:
            raise SentimentUnavailable(f"the model {model!r} cannot be opened: {error}") from error
        names = {str(name).lower(): int(place) for place, name in self._model.config.id2label.items()}
        if not set(MOODS) <= names.keys():
            raise SentimentUnavailable(f"the model {model!r} has the labels {sorted(names)}, not {list(MOODS)}")
        self._places = [names[mood] for mood in MOODS]
        self._model.eval().to(device)
        self._device, self._name = device, model

    @property
    def id(self) -> str:
        """Of the model."""
        return f"transformers:{self._name}"

    def score(self, texts: Sequence[str], vectors: Sequence[Vector | None]) -> Shares:  # noqa: ARG002
        """See ``SentimentScorer``; vectors are not looked at."""
        import torch

        found = nothing(len(texts))
        for n, text in enumerate(texts):  # one by one: padding must not move a score
            if not text.strip():
                continue
            tokens = self._tokenizer(text[:MOST_CHARS], truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                logits = self._model(**tokens.to(self._device)).logits[0]
            found[n] = torch.softmax(logits[self._places], 0).cpu().numpy()
        return found
