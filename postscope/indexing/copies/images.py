"""Whether one picture is a copy of another: by PDQ, and by local features that fit under one move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from postscope.indexing.copies.looks import ASKED_FEATURES, Look, look_at, mirrored
from postscope.indexing.copies.overlay import Overlay, fit, laid, straight
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.fingerprints import PDQ_QUALITY, PDQ_RADIUS, Pdq, bits_apart

TURNS: Final = (
    "", "turned by 90 degrees", "turned by 180 degrees", "turned by 270 degrees",
    "flipped upside down", "mirrored", "turned and mirrored", "turned and mirrored",
)  # fmt: skip
"""What each of the eight PDQs of ``Pdq.turned`` stands for."""

# A move that few features agree on must show the same nearly everywhere. Where both pictures fit whole on each other,
# much that is different cannot be a border or a crop, so it may be another picture in the same frame.
_SURE_FEATURES: Final = 20
_LEAST_FEATURES: Final = 8
_LEAST_AGREEMENT: Final = 0.45
_FEW_AGREEMENT: Final = 0.55
_WHOLE_AGREEMENT: Final = 0.6
_WHOLE: Final = 0.93
FAR_RADIUS: Final = 90
"""Bits that the PDQ of two pictures may differ in for a closer look: two pictures of different things are nearer in one
of 30,000 cases."""
_STRAIGHT_AGREEMENT: Final = 0.75
_AS_IS: Final = 0
_MIRRORED: Final = 5
_COLOUR: Final = 4
"""Mean difference between the colours below which a picture is grey."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptImage:
    """A picture that is compared with: by what is kept of it."""

    pdq: bytes | None
    quality: int
    look: Look | None


@dataclass(frozen=True, slots=True, eq=False)
class AskedImage:
    """A picture that is asked about, and its turned and mirrored forms.

    Attributes:
        turned: the eight PDQs of ``Pdq.turned``.
        quality: of PDQ.
        look: as it is.
        mirror: of its mirror image.
    """

    turned: tuple[bytes, ...]
    quality: int
    look: Look
    mirror: Look


def asked_image(image: Image.Image) -> AskedImage:
    """Prepare a picture for comparisons; some 30 ms."""
    pdq = Pdq()
    first = pdq.fingerprint(image)
    look, mirror = (look_at(picture, features=ASKED_FEATURES) for picture in (image, mirrored(image)))
    own = () if first is None else (first.value,)
    return AskedImage((*own, *pdq.turned(image)[len(own) :]), first.quality if first else 0, look, mirror)


def compare_images(asked: AskedImage, kept: KeptImage, *, radius: int = PDQ_RADIUS) -> CopyVerdict | None:
    """Whether ``asked`` is a copy of ``kept``, whatever was done to either; None if not.

    Args:
        asked: the one.
        kept: the other.
        radius: bits that their PDQs may differ in.
    """
    apart, turn = _nearest(asked, kept)
    by_hash = apart is not None and apart <= radius and min(asked.quality, kept.quality) >= PDQ_QUALITY
    overlay, flipped = _overlay(asked, kept, apart, turn)
    if not by_hash and overlay is None:
        return None
    score = _hash_score(apart) if by_hash and apart is not None else 0.0
    detail: dict[str, Any] = {"pdq_distance": apart}
    changes: list[str] = []
    undone: list[str] = []
    if overlay is not None:
        score = max(score, min(0.98, 0.5 + 0.5 * overlay.agreement * _trust(overlay)))
        detail |= {
            "features": overlay.features,
            "agreement": round(overlay.agreement, 3),
            "shown_of_this": round(overlay.of_one, 3),
            "shown_of_other": round(overlay.of_other, 3),
        }
        changes = _geometry(overlay, overlay.of_one, overlay.of_other, flipped=flipped)
        undone = _geometry(overlay, overlay.of_other, overlay.of_one, flipped=flipped)
    elif TURNS[turn]:
        changes, undone = [TURNS[turn]], [TURNS[turn]]
    if kept.look is not None:
        changes += _colours(asked.look, kept.look)
        undone += _colours(kept.look, asked.look)
    if not changes and apart:
        changes, undone = ["re-encoded, resized or recoloured"], ["re-encoded, resized or recoloured"]
    return CopyVerdict("image", round(score, 4), tuple(changes), tuple(undone), detail)


def _trust(overlay: Overlay) -> float:
    return min(1.0, overlay.features / _SURE_FEATURES) if overlay.features else _STRAIGHT_AGREEMENT


def _colours(this: Look, other: Look) -> list[str]:
    if min(this.colour, other.colour) >= _COLOUR or abs(this.colour - other.colour) < _COLOUR:
        return []
    return ["colour removed" if this.colour < _COLOUR else "colour added"]


def _nearest(asked: AskedImage, kept: KeptImage) -> tuple[int | None, int]:
    """Fewest bits between the PDQs, and of which turn."""
    if kept.pdq is None:
        return None, 0
    apart = [bits_apart(value, kept.pdq, size=len(kept.pdq)) for value in asked.turned]
    best = min(range(len(apart)), key=lambda turn: (apart[turn], turn))
    return apart[best], best


def _hash_score(apart: int) -> float:
    return 1.0 - 0.4 * apart / (2 * PDQ_RADIUS)


def _overlay(asked: AskedImage, kept: KeptImage, apart: int | None, turn: int) -> tuple[Overlay | None, bool]:
    """The move that shows them to be one picture, and whether the mirror image had to be taken."""
    if kept.look is None:
        return None, False
    for look, flipped in ((asked.look, False), (asked.mirror, True)):
        found = fit(look, kept.look)
        if found is not None and _same(found):
            return found, flipped
    # Blurred or very small pictures have few features: where PDQ is not far, laying the whole on the whole tells.
    if apart is not None and apart <= FAR_RADIUS and turn in (_AS_IS, _MIRRORED):
        look = asked.look if turn == _AS_IS else asked.mirror
        found = laid(look, kept.look, straight(look, kept.look))
        if found is not None and found.agreement >= _STRAIGHT_AGREEMENT:
            return found, turn == _MIRRORED
    return None, False


def _same(found: Overlay) -> bool:
    if min(found.of_one, found.of_other) > _WHOLE:
        return found.agreement >= _WHOLE_AGREEMENT and found.features >= _LEAST_FEATURES
    least = _LEAST_AGREEMENT if found.features >= _SURE_FEATURES else _FEW_AGREEMENT
    return found.agreement >= least and found.features >= _LEAST_FEATURES


def _geometry(overlay: Overlay, shown: float, of_other: float, *, flipped: bool) -> list[str]:
    changes = ["mirrored"] if flipped else []
    degrees = overlay.degrees
    if abs(degrees) > 2:
        changes.append(f"turned by {abs(degrees):.0f} degrees")
    if of_other < _WHOLE:
        changes.append(f"cropped to {100 * of_other:.0f}%")
    if shown < _WHOLE:
        changes.append("set in a frame, border or caption")
    if overlay.agreement < 0.85:
        changes.append("partly covered")
    return changes
