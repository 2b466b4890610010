"""Banks: one image against a million entries, retro-match through history, and how soon a new entry is live.

Run as ``python -m tests.benchmarks.bench_banks [ENTRIES] [POSTS]``. Hashes are random bits: what costs is comparing
them, whatever they are of. With ``--history [POSTS] [SIZE,SIZE...]`` instead it tells how fast history is gone through
with so many entries at once, see ``bank_history``.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import faiss
import numpy as np

from postscope.backend import work, work_ends
from postscope.backend.banks import catalogue, entries
from postscope.backend.banks.schema import BankIn, EntryIn, HashIn
from postscope.backend.runtime import Runtime
from postscope.backend.tables import BankMatch
from postscope.backend.work import Stage
from postscope.indexing.known.index import KnownEntry, KnownIndex, KnownSignal
from postscope.indexing.known.matching import Probe, find
from postscope.workers.stages import run_stage
from tests.benchmarks.bank_history import CALLER, sweep, through_history
from tests.benchmarks.rig import posts_of, sample_texts, system

ASKED = 200


def codes(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Random PDQs, shape (count, 32)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


def percentiles(times: list[float]) -> str:
    """Median and p99 in milliseconds."""
    return f"median {np.percentile(times, 50) * 1e3:6.2f} ms, p99 {np.percentile(times, 99) * 1e3:6.2f} ms"


def check_of_one_image(count: int) -> None:
    """One image against ``count`` entries, and the bare index on the same codes, in turns."""
    known, asked = codes(count, 1), codes(ASKED, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index = KnownIndex()
    started = time.perf_counter()
    for start in range(0, count, 20_000):
        index.change(
            [
                (KnownEntry(uuid4(), 0), [KnownSignal("pdq", row.tobytes())])
                for row in known[start : start + 20_000]
            ]
        )  # fmt: skip
    built = time.perf_counter() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    bare = faiss.IndexBinaryFlat(256)
    bare.add(known)
    ours: list[float] = []
    theirs: list[float] = []
    for row in asked:
        theirs.append(_timed(lambda row=row: bare.range_search(row[None], 32)))  # type: ignore[misc]
        probe = Probe("media", 0, hashes={"md5": row.tobytes()[:16], "sha256": row.tobytes()}, pdq=(row.tobytes(),))
        ours.append(_timed(lambda probe=probe: find(index, [probe], now=0.0)))  # type: ignore[misc]
    print(f"one image, {count:,} entries, ours: {percentiles(ours)}")
    print(f"bare FAISS binary index:            {percentiles(theirs)}")
    print(f"ratio of medians: {np.median(ours) / np.median(theirs):.2f}")
    print(f"memory: {memory:.0f} MiB for all of it; built in {built:.1f} s")


def retro_match(runtime: Runtime, posts: int) -> None:
    """Entries against history, each of whose posts has two fingerprints; one in a thousand matches."""
    bank = _bank(runtime)
    wanted = [f"number {n} of the known scams: send all of your money" for n in range(10)]
    texts = [wanted[(n // 1000) % 10] if n % 1000 == 0 else words for n, words in enumerate(sample_texts(posts))]
    _take_in(runtime, texts)
    for words in wanted:
        _entry(runtime, bank, words)
    for dry_run in (True, False):
        seconds, told = sweep(runtime, bank, dry_run=dry_run)
        result = {name: told[name] for name in ("fingerprints", "posts", "new_matches") if name in told}
        print(f"{'dry run' if dry_run else 'retro-match'}: {posts / seconds:8,.0f} posts/s  {result}")


def live_entry(runtime: Runtime, rounds: int = 20) -> None:
    """From asking for an entry to the kept match of a post that comes after it."""
    bank, times = _bank(runtime), []
    for n in range(rounds):
        words = f"a brand new scam, the {n}th of its kind: {uuid4().hex} and {uuid4().hex}"
        started = time.perf_counter()
        _entry(runtime, bank, words)
        _take_in(runtime, [words])
        with runtime.database.session() as session:
            assert session.query(BankMatch).filter_by(bank_id=bank).count() == n + 1
        times.append(time.perf_counter() - started)
    print(f"POST of an entry to the match of a new post, taking it in and indexing it included: {percentiles(times)}")


def _bank(runtime: Runtime) -> UUID:
    with runtime.database.session() as session:
        return catalogue.create(session, BankIn(name=uuid4().hex), CALLER, now=runtime.clock()).id


def _entry(runtime: Runtime, bank: UUID, words: str) -> None:
    given = EntryIn(hashes=[HashIn(kind="text", value=words)])
    with runtime.database.session() as session:
        entries.add(session, bank, given, entries.of_hashes(given.hashes), CALLER, now=runtime.clock())


def _take_in(runtime: Runtime, texts: list[str]) -> None:
    """Posts with their fingerprints; a large history is written without its vectors, which a sweep does not read."""
    rows = posts_of(texts)
    mark = uuid4().hex
    for n, row in enumerate(rows):
        row["external_id"] = f"{mark}-{n}"
    for start in range(0, len(rows), 1_000):
        with runtime.database.session() as session:
            runtime.posts.create(session, rows[start : start + 1_000], now=runtime.clock())
    if len(rows) <= 1_000:
        run_stage(runtime, Stage.INDEX)
        run_stage(runtime, Stage.ENRICH)
        return
    _fingerprint(runtime)


def _fingerprint(runtime: Runtime) -> None:
    from postscope.backend.fingerprinting import keeping, making
    from postscope.backend.tables import Post

    while True:
        with runtime.database.session() as session:
            waiting = work.claim(
                session, Stage.INDEX, now=datetime.now(UTC), worker="bench", settings=runtime.settings.work, limit=1_000
            )
            if not waiting:
                return
            posts = session.query(Post).filter(Post.id.in_([held.post_id for held in waiting])).all()
            made = [
                keeping.PostFingerprints(post.id, keeping.content_key(post, []), tuple(making.of_text(post.text)), ())
                for post in posts
            ]
            keeping.replace(session, made)
            work_ends.finish(session, waiting, now=datetime.now(UTC))


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Print the three, or how fast history is gone through."""
    if "--history" in sys.argv:
        chosen = [word for word in sys.argv[1:] if word != "--history"]
        sizes = [int(size) for size in (chosen[1] if len(chosen) > 1 else "10,1000,10000").split(",")]
        with system() as runtime:
            through_history(runtime, int(chosen[0]) if chosen else 200, sizes)
        return
    known = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    posts = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    check_of_one_image(known)
    with system() as runtime:
        live_entry(runtime)
        retro_match(runtime, posts)


if __name__ == "__main__":
    main()
