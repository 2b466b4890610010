"""Discoveries of topics: read the posts, compute in a child process, write everything at once."""

from __future__ import annotations

import shutil
from typing import Any

from postscope.backend.errors import PostscopeError
from postscope.backend.runtime import Runtime
from postscope.backend.topics.applying import Discovery, apply
from postscope.backend.topics.gathering import gather
from postscope.backend.topics.naming import name_topics
from postscope.backend.topics.requests import DiscoverRequest
from postscope.indexing.topics.computing import DiscoveryFailed, compute
from postscope.workers.run_context import RunContext

STEPS = ("neighbours", "layout", "density", "map", "rest", "words")


class CannotDiscover(PostscopeError):
    """The computation of a discovery failed."""

    code = "discovery_failed"


def discover_topics(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """The runner of ``topics.discover``.

    Nothing is written before the end, and then all of it in one transaction: a run that is cancelled or killed leaves
    everything as it was, and begins anew.
    """
    request = DiscoverRequest.model_validate(context.params)
    model, read_at = runtime.live, runtime.clock()
    folder = runtime.settings.data_dir / "discoveries" / str(context.id)
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
    try:
        job = gather(
            runtime, model, request, folder, tell=lambda done, total: context.report(done, total, "reading posts")
        )
        result = compute(
            job,
            compiled=runtime.settings.data_dir / "compiled",
            timeout=runtime.settings.topics.timeout_seconds,
            tell=lambda step, share: _tell(context, job.spec.count, step, share),
        )
        context.report(job.spec.count, job.spec.count, "writing")
        found = Discovery(context.id, model.encoder.space.id, job, result, read_at, request.filtered)
        with runtime.database.session() as session:
            applied = apply(session, found, now=runtime.clock())
    except DiscoveryFailed as error:
        raise CannotDiscover(f"the topics could not be computed: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = name_topics(
        runtime, context.id, applied.unnamed, tell=lambda done, total: context.report(done, total, "naming")
    )
    return {**applied.counts, "not_named": failed}


def _tell(context: RunContext, count: int, step: str, share: float) -> None:
    """Progress in posts, over all steps, so that one bar fits the whole computation."""
    place = STEPS.index(step) if step in STEPS else 0
    context.report(int(count * (place + share) / len(STEPS)), count, step)
