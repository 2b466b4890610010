"""What the open_clip encoder costs over the bare model: ``python -m tests.benchmarks.bench_openclip``.

ViT-B-32 with seeded weights, since the time does not depend on them; each ratio is of two loops.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from postscope.indexing.encoders.openclip import open_openclip

MODEL = "ViT-B-32"
THREADS = 2


def rate(items: int, run: Callable[[], Any]) -> float:
    """Items a second, best of two runs."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return items / min(seconds)


def posts(count: int) -> list[str]:
    """Texts of 3 to 60 words, as long as short posts are."""
    random = np.random.default_rng(0)
    words = ["the", "city", "marathon", "starts", "near", "old", "harbour", "with", "rain", "and", "cheering"]
    return [" ".join(random.choice(words, size=int(random.gamma(3, 7)) + 3)) for _ in range(count)]


def photos(count: int) -> list[Image.Image]:
    """Pictures of 384 x 288 pixels."""
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 255, (288, 384, 3), dtype=np.uint8)) for _ in range(count)]


def main() -> None:
    """Print one JSON object."""
    import open_clip
    import torch

    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(MODEL)
    model.eval()
    tokenize = open_clip.get_tokenizer(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "w.pt")
        spec = f"open_clip:{MODEL}/{folder}/w.pt"
        start = time.perf_counter()
        encoder = open_openclip(spec, text_model=None, cache_dir=Path(folder), device="cpu", threads=THREADS)
        opened = time.perf_counter() - start
    texts, images = posts(192), photos(96)

    @torch.inference_mode()
    def bare_texts() -> None:
        for i in range(0, len(texts), 64):
            model.encode_text(tokenize(texts[i : i + 64]), normalize=True)

    @torch.inference_mode()
    def bare_images() -> None:
        for i in range(0, len(images), 32):
            model.encode_image(torch.stack([transform(x) for x in images[i : i + 32]]), normalize=True)

    ours, bare = rate(len(texts), lambda: encoder.encode_texts(texts)), rate(len(texts), bare_texts)
    ours_i, bare_i = rate(len(images), lambda: encoder.encode_images(images)), rate(len(images), bare_images)
    figures = {
        "open_seconds": opened,
        "texts_per_second": ours,
        "texts_over_bare": ours / bare,
        "images_per_second": ours_i,
        "images_over_bare": ours_i / bare_i,
    }
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
