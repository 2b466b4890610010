"""Every encoder that the contract suite runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from postscope.indexing.encoders.base import Encoder


@dataclass(frozen=True)
class EncoderCase:
    """An encoder to open in an empty folder of its own, and the modules without which it is left out."""

    name: str
    open: Callable[[Path], Encoder]
    needs: tuple[str, ...] = ()


def _bundled(folder: Path) -> Encoder:
    from postscope.indexing.encoders.bundled import open_bundled

    return open_bundled("bundled", folder, threads=2)


def _bundled_en(folder: Path) -> Encoder:
    from postscope.indexing.encoders.bundled import open_bundled

    return open_bundled("bundled-en", folder, threads=2)


def _open_clip(folder: Path) -> Encoder:
    from tests.contracts.encoders_openclip import open_tiny

    return open_tiny(folder)


def _open_clip_aligned_text(folder: Path) -> Encoder:
    from tests.contracts.encoders_openclip import open_tiny

    return open_tiny(folder, aligned_text=True)


ENCODERS = (
    EncoderCase("bundled", _bundled),
    EncoderCase("bundled-en", _bundled_en),
    EncoderCase("open_clip", _open_clip, needs=("open_clip",)),
    EncoderCase("open_clip, aligned text", _open_clip_aligned_text, needs=("open_clip", "sentence_transformers")),
)
