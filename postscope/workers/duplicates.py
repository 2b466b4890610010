"""Near-duplicates when posts are enriched, when they go, and in sweeps over the whole history."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select

from postscope.backend.duplicates import groups
from postscope.backend.duplicates.assigning import assign, mend
from postscope.backend.duplicates.merging import merge
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post
from postscope.workers.batches import EnrichBatch
from postscope.workers.fingerprinting import fingerprint
from postscope.workers.indexing import load
from postscope.workers.run_context import RunContext

SWEEP_BATCH: Final = 64
EXAMPLES: Final = 20


def find_duplicates(runtime: Runtime, batch: EnrichBatch) -> None:
    """Put each post of the batch into its group of copies."""
    mend_groups(runtime)
    assign(runtime, batch.posts, batch.media)


def mend_groups(runtime: Runtime) -> None:
    """Groups that lost their anchor get another."""
    with runtime.database.session() as session:
        if groups.orphans(session):
            groups.take_turn(session)
            mend(runtime, session)


def sweep(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Look for the copies of every post that there is, in the order of their ids; goes on from its checkpoint.

    Groups whose anchors are copies of each other become one. A dry run changes no group, and tells how many posts are
    copies of others, with examples.
    """
    write = not context.params.get("dry_run", False)
    state: dict[str, Any] = context.checkpoint or {"after": None, "done": 0, "copies": 0, "examples": []}
    with runtime.database.session() as session:
        total = session.scalar(select(func.count()).select_from(Post)) or 0
    while ids := _next(runtime, state["after"]):
        with runtime.database.session() as session:
            posts, media = load(session, ids)
        fingerprint(runtime, posts, media, again=write)
        if write:
            merge(runtime, posts, media)
        found = assign(runtime, posts, media, write=write)
        copies = [item for item in found if item.copies]
        examples = [
            *state["examples"],
            *({"post": str(item.post_id), "copy_of": [str(other) for other in item.copies[:5]]} for item in copies),
        ]
        state = {
            "after": str(ids[-1]),
            "done": state["done"] + len(ids),
            "copies": state["copies"] + len(copies),
            "examples": examples[:EXAMPLES],
        }
        context.report(state["done"], max(total, state["done"]), "looking for copies", state)
    found_groups = _count(runtime)
    return {
        "posts": state["done"],
        "with_copies" if not write else "newly_matched": state["copies"],
        "examples": state["examples"],
        "dry_run": not write,
        **found_groups,
    }


def _next(runtime: Runtime, after: str | None) -> list[UUID]:
    query = select(Post.id).where(Post.indexed_version.is_not(None)).order_by(Post.id).limit(SWEEP_BATCH)
    if after is not None:
        query = query.where(Post.id > UUID(after))
    with runtime.database.session() as session:
        return list(session.scalars(query))


def _count(runtime: Runtime) -> dict[str, int]:
    with runtime.database.session() as session:
        return groups.totals(session)
