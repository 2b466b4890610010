"""Retro-match with many entries at once: posts a second through a history of pictures, by how many entries there are.

Entries of uploads have the real features of pictures of the sample, each under the code of another picture with some
bits changed, so that about as many come near a post as among photos, and none is a copy.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from PIL import Image
from sqlalchemy import insert, text

from postscope.backend.auth import Caller, Role
from postscope.backend.banks import catalogue, changes, retro, sought
from postscope.backend.banks.schema import BankIn
from postscope.backend.fingerprinting.pictures import Picture, picture_of
from postscope.backend.runtime import Runtime
from postscope.backend.tables import BankEntry, BankSignal
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.sample import sample_dir
from postscope.workers.long_runs import work_runs
from postscope.workers.stages import run_stage

CALLER = Caller(UUID(int=1), "bench", frozenset({Role.ADMIN}))
_CHANGED_BITS = 40
_ROWS = 500

Hash = tuple[str, bytes]


def through_history(runtime: Runtime, posts: int, sizes: Sequence[int]) -> None:
    """Print posts a second with so many entries, of imported hashes and of uploads."""
    images = _images()
    _take_in(runtime, images, posts)
    pictures = [picture_of(runtime.scenes, image) for image in images[:60]]
    print(f"{posts} posts with a picture each; sweeps that write matches")
    for kind, made in (("PDQ hashes", _hashes), ("uploads", lambda count: _uploads(pictures, count))):
        for size in sizes:
            bank = _bank(runtime, made(size))
            reading = _read(runtime, bank)
            seconds, result = sweep(runtime, bank, dry_run=False)
            print(
                f"{size:6,} {kind:10}: {posts / max(seconds - reading, 1e-9):8,.1f} posts/s after {reading:.2f} s for "
                f"reading the entries; {result['new_matches']} matches",
                flush=True,
            )
            with runtime.database.session() as session:
                catalogue.remove(session, bank, CALLER, now=runtime.clock())


def _hashes(count: int) -> Iterator[list[Hash]]:
    rng = np.random.default_rng(3)
    for _ in range(count):
        yield [("pdq", rng.bytes(32))]


def _uploads(pictures: Sequence[Picture], count: int) -> Iterator[list[Hash]]:
    rng = np.random.default_rng(4)
    looks = [picture.asked.look.less().pack() for picture in pictures]
    codes = [picture.codes.kept[0] for picture in pictures]
    for n in range(count):
        bits = np.unpackbits(np.frombuffer(codes[n % len(codes)], np.uint8))
        bits[rng.choice(256, _CHANGED_BITS, replace=False)] ^= 1
        code = np.packbits(bits).tobytes()
        yield [*(("pdq", rng.bytes(32)) for _ in range(8)), ("scene", code), ("look", looks[(n + 31) % len(looks)])]


def _bank(runtime: Runtime, entries: Iterator[list[Hash]]) -> UUID:
    """Written as an import is: one change for all."""
    now, import_id = runtime.clock(), uuid4()
    with runtime.database.session() as session:
        bank = catalogue.create(session, BankIn(name=uuid4().hex), CALLER, now=now).id
        held: list[tuple[UUID, list[Hash]]] = []
        for signals in entries:
            held.append((catalogue.new_id(), signals))
            if len(held) == _ROWS:
                _write(session, bank, import_id, held, now)
                held = []
        if held:
            _write(session, bank, import_id, held, now)
        changes.note(session, [], now=now, import_id=import_id)
    runtime.banks.fresh()
    assert runtime.banks.wait(120), "the entries were not read"
    return bank


def _write(session, bank, import_id, held, now) -> None:  # type: ignore[no-untyped-def]
    more = {"bank_id": bank, "origin": "hash", "severity": "medium", "import_id": import_id, "created_by": "bench",
            "created_at": now, "updated_at": now}  # fmt: skip
    session.execute(insert(BankEntry), [{"id": entry, **more} for entry, _ in held])
    rows = [{"entry_id": entry, "kind": kind, "value": value} for entry, signals in held for kind, value in signals]
    session.execute(insert(BankSignal), rows)


def _read(runtime: Runtime, bank: UUID) -> float:
    """How long the entries of a sweep take to be read, which it does once whatever there is to look through."""
    asked = {"bank_id": str(bank), "entries": [], "dry_run": False, "thresholds": {}}
    started = time.perf_counter()
    with runtime.database.session() as session:
        sought.sought(session, asked, runtime.live.encoder.space.id)
    return time.perf_counter() - started


def sweep(runtime: Runtime, bank: UUID, *, dry_run: bool) -> tuple[float, dict[str, Any]]:
    """Seconds and result of a retro-match with all entries of a bank."""
    with runtime.database.session() as session:
        run = retro.start(session, bank, [], CALLER, dry_run=dry_run, thresholds={}, now=runtime.clock()).id
    started = time.perf_counter()
    work_runs(runtime)
    seconds = time.perf_counter() - started
    with runtime.database.session() as session:
        told = session.execute(text("SELECT state, result FROM runs WHERE id = :id"), {"id": run}).one()
    assert told.state == "done", told
    return seconds, told.result


def _images() -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted((sample_dir() / "images").glob("*"))]


def _take_in(runtime: Runtime, images: Sequence[Image.Image], posts: int) -> None:
    """No two pictures are the same file; those that were seen before are cropped a little."""
    rows = []
    for n in range(posts):
        image = images[n % len(images)]
        cut = 4 * (n // len(images))
        out = io.BytesIO()
        image.crop((cut, cut, image.width, image.height)).save(out, "JPEG")
        with runtime.database.session() as session:
            upload = add_upload(
                session, runtime.blobs, io.BytesIO(out.getvalue()), max_bytes=10**7, now=runtime.clock()
            )
        rows.append({"source": "bench", "external_id": f"p{n}", "created_at": "2026-03-02T09:00:00Z",
                     "media": [{"upload_id": str(upload.id)}]})  # fmt: skip
    with runtime.database.session() as session:
        refused = [one for one in runtime.posts.create(session, rows, now=runtime.clock()) if one.id is None]
    assert not refused, json.dumps([str(one) for one in refused])
    for stage in (Stage.EXTRACT, Stage.INDEX, Stage.ENRICH):
        while run_stage(runtime, stage):
            pass
