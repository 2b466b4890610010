"""Words in pictures: character error rate and milliseconds an image on rendered meme captions, against rapidocr as it
comes: ``python -m tests.benchmarks.bench_ocr [CAPTIONS]``.

Many of the photos bear a photographer's name or a site's address. It is written there, and is read; it counts as an
error of either reader in the first figure, and photos in which our reader finds words by themselves are left out of the
second. How often each reads something in a photo without caption is the third.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from postscope.indexing.media.ocr import OcrReader
from tests.benchmarks.memes import SHARED_PHOTOS, Meme, memes, photos

THREADS = 2
PLAIN = 60
"""Photos without a caption that both are shown."""

Read = Callable[[Image.Image], list[str]]


@dataclass(slots=True)
class Score:
    """Of one reader."""

    errors: int = 0
    letters: int = 0
    own_errors: int = 0
    own_letters: int = 0
    seconds: float = 0.0
    junk: int = 0


def distance(one: str, other: str) -> int:
    """Levenshtein's: the least number of letters to put in, take out or exchange."""
    before = list(range(len(other) + 1))
    for n, letter in enumerate(one, 1):
        row = [n]
        for m, wanted in enumerate(other, 1):
            row.append(min(before[m] + 1, row[-1] + 1, before[m - 1] + (letter != wanted)))
        before = row
    return before[-1]


def ours() -> Read:
    """Our reader."""
    reader = OcrReader(threads=THREADS)
    return lambda image: [line for text in reader.read([image])[0] for line in text.text.split("\n")]


def bare() -> Read:
    """rapidocr with its defaults, on as many threads."""
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": THREADS})
    return lambda image: list(engine(np.ascontiguousarray(np.asarray(image)[:, :, ::-1])).txts or ())


def measure(readers: Sequence[Read], shown: Sequence[Meme], marked: Sequence[bool]) -> list[Score]:
    """Every picture to every reader, one after the other."""
    scores = [Score() for _ in readers]
    for number, (meme, mark) in enumerate(zip(shown, marked, strict=True)):
        if number % 20 == 0:
            print(f"{number} of {len(shown)} captions read", file=sys.stderr)
        wanted = " ".join(meme.lines)
        for read, score in zip(readers, scores, strict=True):
            started = time.perf_counter()
            found = " ".join(" ".join(read(meme.image)).split())
            score.seconds += time.perf_counter() - started
            wrong = distance(found, wanted)
            score.errors, score.letters = score.errors + wrong, score.letters + len(wanted)
            if not mark:
                score.own_errors, score.own_letters = score.own_errors + wrong, score.own_letters + len(wanted)
    return scores


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    if not SHARED_PHOTOS.is_dir():
        sys.exit(f"the shared photos are not at {SHARED_PHOTOS}")
    backgrounds = photos()[:count]
    shown = list(memes(count, backgrounds))
    readers = [ours(), bare()]
    for read in readers:
        read(shown[0].image)
    plain = [Image.open(path).convert("RGB") for path in backgrounds]
    own = [bool(readers[0](image)) for image in plain]
    marked = [own[n % len(own)] for n in range(count)]
    scores = measure(readers, shown, marked)
    scores[0].junk = sum(own[:PLAIN])
    scores[1].junk = sum(bool(readers[1](image)) for image in plain[:PLAIN])
    print(f"{count} captions, {sum(not mark for mark in marked)} on photos without words of their own")
    print("                     CER, all   CER, wordless photos   ms an image   reads something in a plain photo")
    for name, score in zip(("ours", "rapidocr's defaults"), scores, strict=True):
        print(
            f"{name:20} {score.errors / score.letters:9.4f} {score.own_errors / max(score.own_letters, 1):22.4f}"
            f" {1000 * score.seconds / count:13.0f} {score.junk / len(plain[:PLAIN]):22.0%}"
        )


if __name__ == "__main__":
    main()
