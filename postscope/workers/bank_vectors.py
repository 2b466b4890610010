"""Runs of ``banks.vectors``: after a change of the space, the vectors of entries are made anew from their content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np

from postscope.backend.banks import contents, vectors
from postscope.backend.banks.behind import look_again
from postscope.backend.blobs import BlobError
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.work import Stage
from postscope.indexing.types import Vectors
from postscope.workers.run_context import RunContext

BATCH: Final = 16


def make_vectors(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Make what is lacking in the live space, then let posts that were checked without it be checked again.

    What is written is not lacking any more, so a run that was killed goes on where it was.
    """
    model = runtime.live
    space = model.encoder.space.id
    state = {"after": str(UUID(int=0)), "done": 0, "lost": 0, **(context.checkpoint or {})}
    while True:
        with runtime.database.session() as session:
            found = vectors.lacking(session, space, UUID(state["after"]), BATCH)
        if not found:
            break
        made = {}
        for entry in found:
            context.check()
            parts = _made(runtime, model, entry)
            made[entry.entry] = parts
            state["lost"] += set(parts) != set(entry.parts)
        with runtime.database.session() as session:
            vectors.keep(session, space, made, now=runtime.clock())
        state["done"] += len(found)
        state["after"] = str(found[-1].entry)
        context.report(state["done"], None, f"{state['lost']} without the content they were made of", state)
    with runtime.database.session() as session:
        posts = look_again(session, now=runtime.clock())
        runtime.jobs.after(session, [Stage.ENRICH] * bool(posts))
    return {"space": space, "entries": state["done"], "lost": state["lost"], "posts_asked_again": posts}


def _made(runtime: Runtime, model: SpaceModel, entry: vectors.Lacking) -> dict[str, Vectors]:
    """By part; a part is left out where some of what it was made of cannot be had any more."""
    made: dict[str, Vectors] = {}
    if "text" in entry.parts and entry.texts:
        made["text"] = contents.text_vectors(model, entry.texts)
    if "media" in entry.parts and entry.files:
        rows = _of_files(runtime, model, entry.files)
        if rows is not None:
            made["media"] = rows
    return made


def _of_files(runtime: Runtime, model: SpaceModel, files: Sequence[str]) -> Vectors | None:
    rows = []
    for sha256 in files:
        try:
            shown = contents.open_content(runtime, runtime.blobs.get(sha256))
        except BlobError:
            return None
        except contents.NotShown:
            continue  # a sound among other media: it never had vectors
        if shown.images:  # a sound never had vectors
            rows.append(contents.image_vectors(model, shown.images))
    return np.concatenate(rows) if rows else None
