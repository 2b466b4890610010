"""What a platform adds to a post: its id, its counters, where it was sent from."""

from __future__ import annotations

import hashlib
import random

from copies import Draft

_REGIONS = {
    "en": ("GB", "IE", "US", "AU", "NG"),
    "es": ("ES", "MX", "AR"),
    "de": ("DE", "AT", "CH"),
    "fr": ("FR", "BE", "CA"),
    "it": ("IT",),
    "pt": ("PT", "BR"),
    "ja": ("JP",),
    "zh": ("CN", "TW", "SG"),
    "tr": ("TR",),
    "ar": ("EG", "MA", "JO"),
    "nl": ("NL",),
    "pl": ("PL",),
    "ko": ("KR",),
    "hi": ("IN",),
    "ru": ("KZ",),
}
_APPS = {
    "chirper": ("android", "ios", "web"),
    "photogrid": ("android", "ios"),
    "forum": ("web",),
    "newswire": ("feed",),
}
_REACH = {"chirper": 5.6, "photogrid": 5.9, "forum": 4.9, "newswire": 7.8}
"""Mean of the logarithm of views on each platform."""


def external_id(draft: Draft) -> str:
    """An id in the manner of the post's platform, stable and unique within it."""
    digest = hashlib.sha256(draft.key.encode()).hexdigest()
    if draft.source == "chirper":
        milliseconds = int(draft.created_at.timestamp() * 1000)
        return str((milliseconds << 22) | int(digest[:5], 16))
    if draft.source == "photogrid":
        return digest[:11]
    if draft.source == "forum":
        return f"t{int(digest[:8], 16) % 90_000 + 10_000}-{int(digest[8:12], 16) % 900 + 1}"
    return f"nw-{draft.created_at:%Y%m%d}-{digest[:6]}"


def metrics(draft: Draft, *, bursting: bool, rng: random.Random) -> dict[str, int]:
    """Counters as they are found: log-normal views, larger in a burst, and shares of them that vary."""
    mean = _REACH[draft.source] + (1.1 if bursting else 0.0) - (1.5 if draft.copy_of else 0.0)
    views = int(rng.lognormvariate(mean, 1.15)) + 3
    likes = int(views * min(rng.lognormvariate(-3.2, 0.7), 0.4))
    return {
        "likes": likes,
        "comments": int(likes * rng.lognormvariate(-2.0, 0.8)),
        "shares": int(likes * rng.lognormvariate(-1.8, 0.9)),
        "views": views,
    }


def region(draft: Draft, rng: random.Random) -> str:
    """A country in which the post's language is spoken; a picture alone may come from anywhere."""
    return rng.choice(_REGIONS[draft.language or rng.choice(sorted(_REGIONS))])


def application(draft: Draft, rng: random.Random) -> str:
    """The program with which it was sent."""
    return rng.choice(_APPS[draft.source])
