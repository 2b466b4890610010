"""The scorer of each space that is written to, opened once a process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.errors import NotReady
from postscope.backend.models import SpaceModel
from postscope.backend.setting_groups import SentimentSettings
from postscope.backend.tables import Post, PostSentiment
from postscope.indexing.sentiment.base import SentimentScorer, SentimentUnavailable, Shares
from postscope.indexing.sentiment.others import LexiconScorer, TransformersScorer
from postscope.indexing.sentiment.phrases import open_phrases

TRANSFORMERS: Final = "transformers:"
"""Before the name of a model in the setting."""


class Scorers:
    """Opens what the setting names; one object serves all threads."""

    def __init__(self, settings: SentimentSettings, cache_dir: Path) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        self._lock = threading.Lock()
        self._opened: dict[str, SentimentScorer] = {}

    def of(self, model: SpaceModel) -> SentimentScorer | None:
        """For the vectors of this model; None where sentiment is switched off.

        Raises:
            NotReady: it cannot be opened, with the reason.
        """
        name = self._settings.scorer
        if name == "off":
            return None
        key = model.encoder.space.id if name == "phrases" else name
        with self._lock:
            if key not in self._opened:
                try:
                    self._opened[key] = _open(name, model, self._cache_dir)
                except SentimentUnavailable as error:
                    raise NotReady(f"the sentiment scorer: {error}", code="sentiment_not_ready") from error
            return self._opened[key]


def _open(name: str, model: SpaceModel, cache_dir: Path) -> SentimentScorer:
    if name == "lexicon":
        return LexiconScorer()
    if name.startswith(TRANSFORMERS):
        return TransformersScorer(name.removeprefix(TRANSFORMERS), cache_dir)
    return open_phrases(
        model.encoder.space, lambda texts: model.calibration.centre_texts(model.encoder.encode_texts(texts))
    )


def keep(session: Session, post_ids: Sequence[UUID], shares: Shares, scorer: str) -> None:
    """Write how these posts sound in place of what was said before; a row of NaN takes it back."""
    # Those that were deleted meanwhile are left out, and none is while this is written.
    there = select(Post.id).where(Post.id.in_(post_ids)).with_for_update(read=True, key_share=True)
    alive = set(session.scalars(there))
    known = [bool(np.isfinite(row).all()) for row in shares]
    gone = [post_id for post_id, there in zip(post_ids, known, strict=True) if not there]
    if gone:
        session.execute(delete(PostSentiment).where(PostSentiment.post_id.in_(gone)))
    rows = [
        {"post_id": post_id, "scorer": scorer, "negative": row[0], "neutral": row[1], "positive": row[2]}
        for post_id, row, there in zip(post_ids, shares.tolist(), known, strict=True)
        if there and post_id in alive
    ]
    if rows:
        written = insert(PostSentiment)
        changed = {name: written.excluded[name] for name in ("scorer", "negative", "neutral", "positive")}
        session.execute(written.on_conflict_do_update(index_elements=["post_id"], set_=changed), rows)
