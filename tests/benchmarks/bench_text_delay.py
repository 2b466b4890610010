"""How long a text post waits until it is searchable, with nothing else to do and with many videos waiting.

python -m tests.benchmarks.bench_text_delay [VIDEOS] [TEXTS]
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from uuid import UUID

from postscope.backend import work
from postscope.backend.runtime import Runtime
from postscope.backend.status import post_status
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.cli.serving import working
from tests import av_files
from tests.benchmarks.rig import posts_of, sample_texts, system

PAUSE = 0.25
SCENES = 6


def main() -> None:
    """Print the delay, before the flood and in it."""
    videos, count = (int(sys.argv[at]) if len(sys.argv) > at else usual for at, usual in ((1, 200), (2, 40)))
    texts = posts_of(sample_texts(2 * count + 1))
    with system() as runtime, working(runtime):
        _ = runtime.live
        delay(runtime, texts[-1])
        report("nothing else", [delay(runtime, post) for post in texts[:count]])
        flood(runtime, videos)
        before = waiting(runtime)
        report(f"{before} videos waiting", [delay(runtime, post) for post in texts[count : 2 * count]])
        print(f"{waiting(runtime)} of them still waited at the end")


def flood(runtime: Runtime, videos: int) -> None:
    """Posts with videos of 12 seconds and six scenes, no scene in two of them."""
    rows = []
    for number in range(videos):
        scenes = [colour(number * SCENES + scene) for scene in range(SCENES)]
        data = av_files.video(seconds=12.0, fps=5, size=(640, 360), scenes=scenes)
        with runtime.database.session() as session:
            upload = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock())
            media = [{"upload_id": str(upload.id)}]
        rows.append({**posts_of([f"clip {number}"])[0], "external_id": f"clip-{number}", "media": media})
    with runtime.database.session() as session:
        runtime.posts.create(session, rows, now=runtime.clock())


def colour(number: int) -> tuple[int, int, int]:
    """Far from that of the number before, so that a scene begins."""
    steps = (number % 2 * 4 + number // 2 % 3, number // 6 % 8, number // 48 % 32)
    return steps[0] * 36, steps[1] * 32, steps[2] * 8


def delay(runtime: Runtime, post: dict[str, object]) -> float:
    """Seconds from accepted to searchable."""
    with runtime.database.session() as session:
        (verdict,) = runtime.posts.create(session, [post], now=runtime.clock())
    started = time.perf_counter()
    while not searchable(runtime, verdict.id):
        time.sleep(0.01)
    took = time.perf_counter() - started
    time.sleep(PAUSE)
    return took


def searchable(runtime: Runtime, post_id: UUID | None) -> bool:
    assert post_id is not None
    with runtime.database.session() as session:
        return post_status(session, post_id).searchable


def waiting(runtime: Runtime) -> int:
    with runtime.database.session() as session:
        return next(row.waiting for row in work.backlog(session) if row.stage == Stage.UNDERSTAND.value)


def report(what: str, seconds: list[float]) -> None:
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(f"{what}: text searchable after {statistics.median(seconds) * 1000:.0f} ms (p50), {p95 * 1000:.0f} ms (p95)")


if __name__ == "__main__":
    main()
