"""Import of one file: rows in, batch by batch, each batch in one transaction with the note of how far it goes.

A kill at any time loses nothing and doubles nothing: the posts, the position and the length of the file of rejected
rows are committed together, and what was written behind that length is cut off when the import goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from postscope.backend.database import Clock, Database, utc_now
from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.importing import runs
from postscope.backend.importing.formats import open_source
from postscope.backend.importing.media_files import KeepFile, MediaFiles
from postscope.backend.importing.progress import ImportProgress, Silent
from postscope.backend.importing.rejects import Rejects, entry, place_for
from postscope.backend.importing.rows import Row, Source
from postscope.backend.importing.runs import Begun
from postscope.backend.posts import Verdict
from postscope.backend.tables import ImportRun

_BATCH_BYTES: Final = 16 * 1024 * 1024


class CreatePosts(Protocol):
    """Takes a batch of posts in and gives a verdict on each, in the transaction of ``session``."""

    def __call__(self, session: Session, rows: Sequence[dict[str, Any]], /) -> Sequence[Verdict]:
        """One verdict a row, each with the row's index."""
        ...


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of a file. The counts are those of the whole file, also where the import was resumed.

    Attributes:
        begun: whether it began afresh, went on where it had stopped, or read a finished file again.
        finished: False where it was asked to stop; the same call goes on.
        rejects: the file of rejected rows; None where there are none.
    """

    format: str
    begun: Begun
    finished: bool
    rows: int
    accepted: int
    updated: int
    unchanged: int
    rejected: int
    rejects: Path | None


def run_import(
    path: Path,
    *,
    database: Database,
    create_posts: CreatePosts,
    clock: Clock = utc_now,
    progress: ImportProgress | None = None,
    batch: int = 500,
    keep_file: KeepFile | None = None,
    rejects_dir: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ImportSummary:
    """Import a file of posts, or go on with one.

    Args:
        path: JSONL or CSV, plain or gzipped, or Parquet.
        create_posts: validates and writes a batch.
        batch: rows a transaction.
        keep_file: what keeps media given by a file name; without it such rows are rejected.
        rejects_dir: where rejected rows go if nothing can be written beside the file.
        stop: asked after each batch whether to stop there.

    Raises:
        Invalid: the file is missing, of no known format, or damaged; what came before the damage is imported.
        Conflict: another process imports the same file.
    """
    with closing(open_source(path)) as source:
        mark = runs.fingerprint(path, source.format)
        rejects = Rejects(place_for(path, mark, rejects_dir))
        importer = _Importer(path, source, mark, rejects, database, create_posts, MediaFiles(path.parent, keep_file))
        return importer.run(batch, clock, progress or Silent(), stop)


class _Importer:
    def __init__(
        self,
        path: Path,
        source: Source,
        mark: str,
        rejects: Rejects,
        database: Database,
        create_posts: CreatePosts,
        media: MediaFiles,
    ) -> None:
        self._path = path
        self._source = source
        self._mark = mark
        self._rejects = rejects
        self._database = database
        self._create_posts = create_posts
        self._media = media

    def run(self, size: int, clock: Clock, progress: ImportProgress, stop: Callable[[], bool]) -> ImportSummary:
        with self._database.session() as session:
            run, begun = runs.begin(session, self._mark, self._path, now=clock())
            run.rejects_bytes = self._rejects.write(run.rejects_bytes, ())
        total = self._source.size
        progress.begin(begun, rows=runs.rows(run), done=min(total, self._source.done(run.position)), total=total)
        for batch in _batches(self._source.rows(run.position), size):
            run = self._take(batch, run.position)
            done = min(total, self._source.done(run.position))
            progress.advance(rows=runs.rows(run), rejected=run.rejected, done=done, total=total)
            if stop():
                return self._summary(run, begun)
        with self._database.session() as session:
            run = runs.hold(session, self._mark, run.position)
            run.finished_at = clock()
        progress.advance(rows=runs.rows(run), rejected=run.rejected, done=total, total=total)
        return self._summary(run, begun)

    def _take(self, batch: Sequence[Row], position: int) -> ImportRun:
        """Import a batch. Should the database refuse a value, the rows go one by one, to find the one it is in."""
        try:
            return self._commit(batch, position)
        except DataError as error:
            if len(batch) == 1:
                reason = str(error.orig).partition("\n")[0]
                refused = replace(batch[0], problems=(FieldProblem("post", f"cannot be stored: {reason}"),))
                return self._commit([refused], position)
        for row in batch:
            run = self._take([row], position)
            position = run.position
        return run

    def _commit(self, batch: Sequence[Row], position: int) -> ImportRun:
        with self._database.session() as session:
            run = runs.hold(session, self._mark, position)
            outcomes, refused = self._create(session, batch)
            run.rejects_bytes = self._rejects.write(run.rejects_bytes, refused)
            run.position = batch[-1].end
            runs.count(run, outcomes)
        return run

    def _create(self, session: Session, batch: Sequence[Row]) -> tuple[Counter[str], list[bytes]]:
        """Write the posts of a batch; how many came to what, and the entries of those that were rejected."""
        problems: dict[int, Sequence[FieldProblem]] = {}
        posts: dict[int, dict[str, Any]] = {}
        for index, row in enumerate(batch):
            found: Sequence[FieldProblem] = row.problems
            if row.post is not None and not found:
                posts[index], found = self._media.uploaded(session, row.post)
            if found:
                problems[index] = found
                posts.pop(index, None)
        places = list(posts)
        outcomes = Counter({"rejected": len(problems)})
        for verdict in self._create_posts(session, list(posts.values())) if posts else ():
            outcomes[verdict.status] += 1
            if verdict.status == "rejected":
                problems[places[verdict.index]] = verdict.problems
        return outcomes, [entry(batch[index], problems[index]) for index in sorted(problems)]

    def _summary(self, run: ImportRun, begun: Begun) -> ImportSummary:
        return ImportSummary(
            format=self._source.format,
            begun=begun,
            finished=run.finished_at is not None,
            rows=runs.rows(run),
            accepted=run.accepted,
            updated=run.updated,
            unchanged=run.unchanged,
            rejected=run.rejected,
            rejects=self._rejects.path if run.rejected else None,
        )


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Rows in batches, small ones where the rows are large. Damage in the file comes after the rows before it."""
    batch: list[Row] = []
    weight = 0
    try:
        for row in rows:
            batch.append(row)
            weight += row.size
            if len(batch) >= size or weight >= _BATCH_BYTES:
                yield batch
                batch, weight = [], 0
    except Invalid:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
