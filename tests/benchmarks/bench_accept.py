"""Posts accepted a second over HTTP in batches of 500, against a bare COPY of the same rows: ``python -m
tests.benchmarks.bench_accept [POSTS]``."""

from __future__ import annotations

import sys
import time

import httpx
import orjson
from sqlalchemy import text

from postscope.backend import auth
from postscope.backend.runtime import Runtime
from postscope.cli import serving
from postscope.cli.demo import listening
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 500


def main() -> None:
    """Print posts a second, both ways."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rows = posts_of(sample_texts(count))
    api = {"port": serving.free_port("127.0.0.1"), "requests_per_minute": 1_000_000}
    with system(api=api) as runtime:
        with runtime.database.session() as session:
            _, key = auth.create_key(session, "bench", [auth.Role.INGEST], now=runtime.clock())
        with listening(runtime), httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            started = time.perf_counter()
            for at in range(0, count, BATCH):
                body = orjson.dumps({"posts": rows[at : at + BATCH]})
                answer = client.post(
                    f"{serving.address(runtime)}/v1/posts", content=body, headers={"Content-Type": "application/json"}
                )
                answer.raise_for_status()
            ours = time.perf_counter() - started
        bare = _bare_copy(runtime, count)
    print(f"POST /v1/posts, batches of {BATCH}: {count / ours:9.0f} posts/s")
    print(f"bare COPY, commits of {BATCH}:      {count / bare:9.0f} rows/s")
    print(f"ratio:                            {bare / ours:9.2f}")


def _bare_copy(runtime: Runtime, count: int) -> float:
    """Seconds to COPY the very rows that were written into a table of the same shape, with its indexes."""
    with runtime.database.engine.connect() as connection:
        connection.execute(text("CREATE TABLE bare (LIKE posts INCLUDING ALL)"))
        connection.commit()
        raw = connection.connection.driver_connection
        assert raw is not None
        with raw.cursor() as cursor:
            with cursor.copy("COPY posts TO STDOUT") as copy:
                lines = [bytes(line) for line in copy]
            assert len(lines) == count
            started = time.perf_counter()
            for at in range(0, count, BATCH):
                with cursor.copy("COPY bare FROM STDIN") as copy:
                    for line in lines[at : at + BATCH]:
                        copy.write(line)
                raw.commit()
            return time.perf_counter() - started


if __name__ == "__main__":
    main()
