"""What is said of two contents that are copies of each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Part = Literal["text", "image", "video", "audio"]


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """Two contents are the same, give or take what was done to one of them.

    Attributes:
        part: what kind of content.
        score: 0.5 to 1; 1 is the very same bytes or words.
        changes: what was likely done to the other to get this one, in words that people read; empty for nothing.
        undone: what was likely done to this one to get the other, if it was the other way round.
        detail: the measurements behind it, as JSON.
    """

    part: Part
    score: float
    changes: tuple[str, ...]
    undone: tuple[str, ...]
    detail: dict[str, Any] = field(default_factory=dict)
