"""Runs of ``banks.retro``: entries of a bank against the fingerprints of all posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from postscope.backend.banks import retro
from postscope.backend.banks.checking import recheck
from postscope.backend.runtime import Runtime
from postscope.workers.run_context import RunContext

BATCH: Final = 5_000
_RECHECK: Final = 64


def sweep_history(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Find posts by the hashes of the entries, and check each of them as a whole; of a dry run only count.

    Entries are read anew for every batch: one that is switched off, changed or removed meanwhile finds nothing more.
    A checkpoint is committed with what was found up to it, so a kill costs one batch, and checking a post twice
    changes nothing.
    """
    if context.params["dry_run"]:
        return _try(runtime, context)
    state = {"after": 0, "done": 0, "posts": 0, "matches": 0, **(context.checkpoint or {})}
    entries: retro.Sought | None = None
    while True:
        with runtime.database.session() as session:
            entries = retro.sought(session, context.params, entries)
            rows = retro.read(session, entries.kinds, state["after"], BATCH) if entries.kinds else []
            if "total" not in state:
                state["total"] = retro.total(session, entries.kinds, 0)
        if not rows:
            break
        found = retro.matching(entries.index, retro.candidates(entries.index, rows))
        posts = list(dict.fromkeys(row.post_id for row, _, _ in found))
        state["matches"] += _recheck(runtime, context, posts)
        state["posts"] += len(posts)
        state["after"], state["done"] = rows[-1].seq, state["done"] + len(rows)
        note = f"{state['posts']} posts looked at, {state['matches']} new matches"
        context.report(state["done"], max(state["total"], state["done"]), note, state)
    state["matches"] += _let_go(runtime, context)
    return {"fingerprints": state["done"], "posts": state["posts"], "new_matches": state["matches"]}


def _try(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """A dry run starts over after a kill: it has changed nothing."""
    tried, seen = retro.Tried(), set[UUID]()
    with runtime.database.session() as session:
        entries = retro.sought(session, context.params)
        total = retro.total(session, entries.kinds, 0)
    after, done = 0, 0
    while True:
        with runtime.database.session() as session:
            rows = retro.read(session, entries.kinds, after, BATCH) if entries.kinds else []
        if not rows:
            break
        retro.note(tried, entries.index, retro.candidates(entries.index, rows, slack=True), seen)
        after, done = rows[-1].seq, done + len(rows)
        context.report(done, max(total, done), f"{tried.posts} posts would match")
    return {
        "fingerprints": done,
        "posts": tried.posts,
        "by_distance": {
            kind: {str(bits): count for bits, count in sorted(counts.items())}
            for kind, counts in sorted(tried.by_distance.items())
        },
        "examples": tried.examples,
    }


def _recheck(runtime: Runtime, context: RunContext, posts: Sequence[UUID]) -> int:
    matches = 0
    for start in range(0, len(posts), _RECHECK):
        context.check()
        matches += recheck(runtime, posts[start : start + _RECHECK], run_id=context.id)
    return matches


def _let_go(runtime: Runtime, context: RunContext) -> int:
    """Posts that matched before are checked again, so that what was narrowed or switched off lets go of them."""
    after, matches = UUID(int=0), 0
    while True:
        with runtime.database.session() as session:
            posts = retro.matched_before(session, context.params, after, BATCH)
        if not posts:
            return matches
        matches += _recheck(runtime, context, posts)
        after = posts[-1]
