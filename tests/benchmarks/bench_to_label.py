"""Which posts to look at for labelling, drawn from a large table: some pages of it against all posts in order.

python -m tests.benchmarks.bench_to_label [posts]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from postscope.backend.tagging import asking, taxonomies
from postscope.backend.tagging.definitions import TaxonomyIn
from tests.benchmarks.rig import execute, system

SEEDS = 7
EVERY = 500
"""One post of so many has a label already."""
WORDS = "The ferry to the island was full this morning and many of us had to wait for the next one. "


def main() -> None:
    """Milliseconds, the median over seeds, in turns."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with system() as runtime:
        with runtime.database.session() as session:
            content = TaxonomyIn.model_validate({"labels": [{"name": "ferry"}]})
            made = taxonomies.create(session, "bench", content, origin="api", actor="bench", now=runtime.clock())
            taxonomy = made.taxonomy_id
        execute(runtime, _posts(count))
        execute(
            runtime,
            "INSERT INTO labels (set_id, post_id, label, value, source, actor, at) SELECT s.id, p.id, 'ferry', 1, "
            f"'upload', 'bench', now() FROM posts p, label_sets s WHERE p.external_id::int % {EVERY} = 0",
        )
        execute(runtime, "VACUUM ANALYZE posts, labels")
        times: dict[str, list[float]] = {"some pages": [], "all in order": []}
        for seed in range(SEEDS):
            for name, pages in (("some pages", asking.PAGES), ("all in order", count)):
                with runtime.database.session() as session:
                    begun = time.perf_counter()
                    found = asking.candidates(session, taxonomy, seed, pages=pages)
                    times[name].append((time.perf_counter() - begun) * 1000)
                assert len(found) == min(asking.LOOKED_AT, count - -(-count // EVERY))
        told = ", ".join(f"{name} {np.median(spent):.0f} ms" for name, spent in times.items())
        print(f"{count} posts: {told}")


def _posts(count: int) -> str:
    """Rows as an import leaves them, without any vectors."""
    return (
        "INSERT INTO posts (id, source, external_id, created_at, text, tags, metrics, metadata, record_hash, "
        "content_hash, received_at, updated_at, indexed_version, enriched_version) SELECT "
        "(lpad(to_hex(1750000000000 + n), 12, '0') || '7000' || '8' || substr(md5(n::text), 1, 15))::uuid, "
        f"'bench', n::text, now(), '{WORDS}' || n, '{{}}', '{{\"likes\": 3, \"views\": 700}}', '{{\"bucket\": 4}}', "
        "sha256(n::text::bytea), sha256(n::text::bytea), now(), now(), 1, 1 "
        f"FROM generate_series(1, {count}) n"
    )


if __name__ == "__main__":
    main()
