"""What the processes of the sandbox say of a medium, taken only where it makes sense: one may be in the hands of its
file, and say anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from postscope.indexing.media.errors import CorruptMedia
from postscope.indexing.media.parts import PartName, PartReport

_PROBLEMS: Final = {
    "truncated": "the file ends before its content does",
    "corrupt": "some of it is broken and was passed over",
    "too_long": "it plays for longer than the limit",
    "too_slow": "the time for it was over before its end",
}


def about_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is in a container: ``video`` and ``audio``, each None or a ``code`` and a ``reason``, and the ``duration``
    in seconds or None.

    Raises:
        CorruptMedia: it makes no sense.
    """
    parts = {name: said.get(name) for name in ("video", "audio")}
    for part in parts.values():
        if part is not None and not (isinstance(part, dict) and {"code", "reason"} <= part.keys()):
            raise CorruptMedia("what was decoded makes no sense")
    duration = said.get("duration")
    return parts | {"duration": None if duration is None else time_of(duration)}


def ending_of(part: PartName, problem: object) -> PartReport:
    """How the decoding of a part ended: as a whole, or with what there was until the problem."""
    if problem is None:
        return PartReport(part, "done")
    code = problem if isinstance(problem, str) and problem in _PROBLEMS else "corrupt"
    return PartReport(part, "partial", code, _PROBLEMS[code])


def time_of(value: object) -> float:
    """Seconds, or another number that is not negative.

    Raises:
        CorruptMedia: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise CorruptMedia("what was decoded has no sensible time or size")
    return float(value)
