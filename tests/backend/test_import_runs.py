from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from postscope.backend.database import Database, utc_now
from postscope.backend.errors import Conflict, Invalid
from postscope.backend.importing import runs
from postscope.backend.importing.progress import ImportBar, Silent
from postscope.backend.importing.rejects import Rejects, place_for
from postscope.backend.importing.running import ImportSummary, run_import
from postscope.backend.importing.runs import Begun
from postscope.backend.importing.stopping import stop_on_interrupt
from postscope.backend.posts import Verdict
from postscope.backend.tables import ImportRun, Post, Work
from tests.backend.import_child import intake

ROOT = Path(__file__).resolve().parents[2]


def post(n: int, **more: Any) -> dict[str, Any]:
    return {
        "source": "chirper",
        "external_id": str(n),
        "created_at": "2026-03-02T09:30:00Z",
        "text": f"gull number {n}",
        **more,
    }


def lines(rows: Sequence[Any]) -> bytes:
    return b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows)


def mixed(count: int) -> list[Any]:
    """Posts, of which every seventh is refused by validation and every eleventh is no JSON."""
    return [b"{oops" if n % 11 == 5 else post(n, labels=1) if n % 7 == 3 else post(n) for n in range(count)]


def bad(count: int) -> list[int]:
    return [n for n in range(count) if n % 11 == 5 or n % 7 == 3]


def create(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    return intake().create(session, rows, now=utc_now())


def accept(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Stands in where what is measured is the import alone."""
    return [Verdict(index, "accepted") for index, _ in enumerate(rows)]


def imported(database: Database, path: Path, **options: Any) -> ImportSummary:
    return run_import(path, database=database, create_posts=create, **{"batch": 50, **options})


def rejected(path: Path) -> list[dict[str, Any]]:
    file = path.with_name(f"{path.name}.rejected.jsonl")
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def stored(database: Database) -> list[int]:
    with database.session() as session:
        return sorted(int(key) for key in session.scalars(select(Post.external_id)))


def works(database: Database) -> int:
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(Work)) or 0


# --- one file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_every_format_arrives(database: Database, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"posts.{ending}"
    rows = [post(n) for n in range(120)]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "csv":
        path.write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]))
    else:
        path.write_bytes(gzip.compress(lines(rows)) if ending.endswith("gz") else lines(rows))
    summary = imported(database, path)
    assert summary == ImportSummary(ending, Begun.FRESH, True, 120, 120, 0, 0, 0, None)
    assert stored(database) == list(range(120))
    assert works(database) == 120
    assert os.listdir(tmp_path) == [path.name]


def test_rejected_rows_are_written_down_with_line_and_reasons(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines([post(0), b"{oops", b"", post(1, labels={"a": 1}, text=7), post(2)]))
    summary = imported(database, path)
    assert (summary.accepted, summary.rejected, summary.rows) == (2, 2, 4)
    first, second = rejected(path)
    assert (first["line"], first["row"]) == (2, "{oops")
    assert first["reasons"][0]["field"] == "line"
    assert (second["line"], second["row"]) == (4, post(1, labels={"a": 1}, text=7))
    assert [reason["field"] for reason in second["reasons"]] == ["text", "labels"]
    assert summary.rejects == tmp_path / "posts.jsonl.rejected.jsonl"


def test_rows_that_cannot_be_written_as_they_are_are_rejected_like_any_other(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "posts.jsonl"
    deep = orjson.dumps(post(1, metadata={"a": "x"})).replace(b'"x"', b"[" * 600 + b"]" * 600)
    path.write_bytes(lines([post(0), deep, post(2)]))
    assert (imported(database, path).accepted, rejected(path)[0]["line"]) == (2, 2)
    assert rejected(path)[0]["row"]["external_id"] == "1"
    table = tmp_path / "posts.parquet"
    large = [{**post(n), "metadata": {"n": Decimal(10) ** (n + 17)}} for n in (0, 3)]
    pq.write_table(pa.Table.from_pylist(large), table)
    assert (imported(database, table).updated, rejected(table)[0]["line"]) == (1, 2)
    assert rejected(table)[0]["row"]["metadata"] == {"n": "1" + "0" * 20}


def test_a_finished_file_is_read_again_and_nothing_changes(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines(mixed(100)))
    imported(database, path)
    before = rejected(path)
    again = imported(database, path)
    assert (again.begun, again.accepted, again.updated) == (Begun.AGAIN, 0, 0)
    assert again.unchanged == 100 - len(bad(100))
    assert again.rejected == len(bad(100))
    assert rejected(path) == before


def test_a_file_is_known_wherever_it_lies(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines([post(1)]))
    imported(database, tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").rename(tmp_path / "b.jsonl")
    assert imported(database, tmp_path / "b.jsonl").begun is Begun.AGAIN
    (tmp_path / "b.jsonl").write_bytes(lines([post(1), post(2)]))
    assert imported(database, tmp_path / "b.jsonl").begun is Begun.FRESH


def test_an_empty_file_is_finished_at_once(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert imported(database, tmp_path / "a.jsonl") == ImportSummary("jsonl", Begun.FRESH, True, 0, 0, 0, 0, 0, None)


def test_rows_before_damage_arrive_and_the_import_is_not_finished(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl.gz"
    noise = [post(n, text=os.urandom(200).hex()) for n in range(500)]
    path.write_bytes(gzip.compress(lines(noise))[:-5_000])
    with pytest.raises(Invalid, match="cannot be read after line"):
        imported(database, path)
    there = stored(database)
    assert len(there) > 300
    assert there == list(range(len(there)))
    with database.session() as session:
        assert session.scalars(select(ImportRun.finished_at)).one() is None


def test_a_value_the_database_refuses_rejects_its_row_alone(database: Database, tmp_path: Path) -> None:
    def strict(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
        session.execute(text("SELECT CAST(:n AS int)"), [{"n": row["text"]} for row in rows])
        return create(session, rows)

    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines([post(n, text="no number" if n == 30 else "1") for n in range(100)]))
    summary = run_import(path, database=database, create_posts=strict, batch=40)
    assert (summary.accepted, summary.rejected, summary.finished) == (99, 1, True)
    assert rejected(path)[0]["line"] == 31
    assert "cannot be stored" in rejected(path)[0]["reasons"][0]["reason"]
    assert 30 not in stored(database)


# --- killed, stopped, at the same time -----------------------------------------------------------------------------


def child(database_url: str, path: Path, moment: str, batch: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.backend.import_child", database_url, str(path), moment, str(batch)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("moment", ["written", "committing", "committed"])
def test_killed_at_any_moment_it_goes_on_without_loss_or_doubles(
    database: Database, database_url: str, tmp_path: Path, moment: str, packed: bool
) -> None:
    count = 400
    path = tmp_path / ("posts.jsonl.gz" if packed else "posts.jsonl")
    content = lines(mixed(count))
    path.write_bytes(gzip.compress(content) if packed else content)
    killed = child(database_url, path, moment, 3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    committed = 200 if moment == "committed" else 150
    assert stored(database) == [n for n in range(committed) if n not in bad(count)]

    calls: list[int] = []

    def counted(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
        calls.extend(int(row["external_id"]) for row in rows)
        return create(session, rows)

    summary = run_import(path, database=database, create_posts=counted, batch=50)
    assert (summary.begun, summary.finished, summary.rows) == (Begun.RESUMED, True, count)
    assert (summary.accepted, summary.unchanged) == (count - len(bad(count)), 0)
    assert min(calls) == committed
    assert stored(database) == [n for n in range(count) if n not in bad(count)]
    assert [entry["line"] for entry in rejected(path)] == [n + 1 for n in bad(count)]


@pytest.mark.slow
def test_an_interrupt_stops_after_the_batch(database: Database, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines(mixed(400)))
    stopped = child(database_url, path, "interrupt", 2)
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.splitlines()[-1] == "fresh False 150"
    summary = imported(database, path)
    assert (summary.begun, summary.rows, summary.finished) == (Begun.RESUMED, 400, True)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_go_on_where_they_stopped(database: Database, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"posts.{ending}"
    rows = [post(n, text="two\nlines, quoted" if n % 2 else "x") for n in range(130)]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=40)
    else:
        cells = [",".join(f'"{cell}"' for cell in row.values()) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *cells]))
    stopped = imported(database, path, stop=lambda: True)
    assert (stopped.finished, stopped.rows) == (False, 50)
    rest = imported(database, path)
    assert (rest.begun, rest.finished, rest.accepted, rest.unchanged) == (Begun.RESUMED, True, 130, 0)
    assert stored(database) == list(range(130))


def test_two_imports_of_one_file_do_not_mix(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines(mixed(200)))
    outcome: list[ImportSummary] = []
    rival = threading.Thread(target=lambda: outcome.append(imported(database, path)))

    def with_a_rival(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
        rival.start()  # it has to wait until our batch is committed, and goes on from there
        return create(session, rows)

    class Waits(Silent):
        def advance(self, *, rows: int, rejected: int, done: int, total: int) -> None:
            rival.join(60)

    with pytest.raises(Conflict, match="another process"):
        run_import(path, database=database, create_posts=with_a_rival, batch=50, progress=Waits())
    assert [(summary.rows, summary.finished, summary.unchanged) for summary in outcome] == [(200, True, 0)]
    assert stored(database) == [n for n in range(200) if n not in bad(200)]
    assert [entry["line"] for entry in rejected(path)] == [n + 1 for n in bad(200)]


def test_the_second_interrupt_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


# --- the file of rejected rows -------------------------------------------------------------------------------------


def test_rejects_are_cut_to_what_was_committed(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "r")
    assert rejects.write(0, []) == 0
    assert not rejects.path.exists()
    assert rejects.write(0, [b"one\n", b"two\n"]) == 8
    assert rejects.write(4, [b"2\n"]) == 6
    assert rejects.path.read_bytes() == b"one\n2\n"
    assert rejects.write(4, []) == 4
    assert rejects.path.read_bytes() == b"one\n"
    rejects.path.unlink()
    assert rejects.write(4, [b"new\n"]) == 4, "somebody removed the file: no gap of NULs"
    assert rejects.path.read_bytes() == b"new\n"


def test_rejects_go_elsewhere_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = Path("/proc/self/posts.jsonl")
    with pytest.raises(Invalid, match="cannot be written"):
        place_for(path, "ab" * 32, None)
    assert place_for(path, "ab" * 32, tmp_path / "new") == tmp_path / "new" / "posts.jsonl.abababababab.rejected.jsonl"


# --- progress and memory -------------------------------------------------------------------------------------------


def test_progress_counts_from_the_beginning_of_the_file(database: Database, tmp_path: Path) -> None:
    class Recorded(Silent):
        def __init__(self) -> None:
            self.began: list[tuple[Begun, int, int]] = []
            self.seen: list[tuple[int, int]] = []

        def begin(self, begun: Begun, *, rows: int, done: int, total: int) -> None:
            self.began.append((begun, rows, done))

        def advance(self, *, rows: int, rejected: int, done: int, total: int) -> None:
            assert 0 <= done <= total == path.stat().st_size
            self.seen.append((rows, done))

    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines([post(n) for n in range(120)]))
    progress = Recorded()
    imported(database, path, progress=progress, stop=lambda: True)
    imported(database, path, progress=progress)
    assert [rows for rows, _ in progress.seen] == [50, 100, 120, 120]
    assert progress.seen[-1][1] == path.stat().st_size
    assert progress.began == [(Begun.FRESH, 0, 0), (Begun.RESUMED, 50, progress.seen[0][1])]


def test_the_bar_says_where_it_goes_on(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        with ImportBar("[posts].jsonl", Console(file=out, width=120)) as bar:
            bar.begin(Begun.RESUMED, rows=1_500, done=10, total=40)
            bar.advance(rows=2_000, rejected=3, done=40, total=40)
        out.seek(0)
        printed = out.read()
    assert "resuming [posts].jsonl after 1,500 rows" in printed
    assert "2,000 rows" in printed
    assert "3 rejected" in printed


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(database: Database, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        with path.open("wb") as out:
            for start in range(0, count, 10_000):
                out.write(lines([post(n, labels=None if n % 3 else "x") for n in range(start, start + 10_000)]))
        tracemalloc.start()
        summary = run_import(path, database=database, create_posts=accept)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert summary.rows == count
        return used

    peak(10_000)  # whatever is kept from the first use
    assert peak(200_000) < 1.5 * peak(20_000) + 1_000_000


@pytest.mark.slow
def test_memory_of_parquet_does_not_grow_with_the_file(tmp_path: Path) -> None:
    code = (
        "import sys, resource\n"
        "from pathlib import Path\n"
        "from postscope.backend.importing.parquet import ParquetRows\n"
        "rows = sum(1 for _ in ParquetRows(Path(sys.argv[1])).rows(0))\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.parquet"
        with pq.ParquetWriter(path, pa.Table.from_pylist([post(0)]).schema) as writer:
            for start in range(0, count, 20_000):
                rows = [post(n, text=os.urandom(150).hex()) for n in range(start, start + 20_000)]
                writer.write_table(pa.Table.from_pylist(rows))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        read, kilobytes = map(int, done.stdout.split())
        assert read == count
        return kilobytes

    assert peak(200_000) < 1.2 * peak(20_000) + 20_000


def test_the_mark_of_a_file_is_made_of_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    mark = runs.fingerprint(path, "csv")
    assert runs.fingerprint(path, "jsonl") != mark
    for offset in (0, 2_999_999):
        data = bytearray(b"x" * 3_000_000)
        data[offset] = 0
        path.write_bytes(data)
        assert runs.fingerprint(path, "csv") != mark
