"""The words of a medium, spoken in it or written in its pictures."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from postscope.backend.tables import MediaText
from postscope.indexing.media.parts import Spoken, Written


def write_texts(
    session: Session,
    *,
    media_id: uuid.UUID,
    post_id: uuid.UUID,
    spoken: Sequence[Spoken] = (),
    written: Sequence[Written] = (),
) -> int:
    """Keep the words of a medium in the place of those that are kept now.

    Returns:
        How many texts there are.
    """
    session.execute(delete(MediaText).where(MediaText.media_id == media_id))
    rows = [_spoken(text) for text in spoken] + [_written(text) for text in written]
    numbers: dict[str, int] = {}
    for row in rows:
        number = numbers[row["kind"]] = numbers.get(row["kind"], -1) + 1
        session.add(MediaText(media_id=media_id, post_id=post_id, number=number, **row))
    return len(rows)


def _spoken(text: Spoken) -> dict[str, Any]:
    words = [[round(word.start, 2), round(word.end, 2), word.text, round(word.confidence, 3)] for word in text.words]
    return {
        "kind": "speech",
        "text": text.text,
        "start_seconds": text.start,
        "end_seconds": text.end,
        "language": text.language,
        "language_confidence": text.language_confidence,
        "confidence": text.confidence,
        "detail": {"words": words},
    }


def _written(text: Written) -> dict[str, Any]:
    boxes = [[[round(x, 4), round(y, 4)] for x, y in box] for box in text.boxes]
    return {
        "kind": "picture",
        "text": text.text,
        "start_seconds": text.start,
        "end_seconds": text.end,
        "language": text.language,
        "language_confidence": text.language_confidence,
        "confidence": text.confidence,
        "detail": {"boxes": boxes},
    }
