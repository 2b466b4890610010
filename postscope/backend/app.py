"""``create_app``: wiring and nothing else. The runtime is closed by whoever opened it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI

from postscope import __version__
from postscope.backend import work
from postscope.backend.auth import Authenticator, KeyFirst
from postscope.backend.checks import checks_of
from postscope.backend.envelope import RequestEnvelope
from postscope.backend.heads.drift import head_figures
from postscope.backend.health import Readiness
from postscope.backend.limits import BodyLimit, RateLimiter
from postscope.backend.openapi import describe
from postscope.backend.parameters import refuse_nul
from postscope.backend.problems import add_problem_handlers
from postscope.backend.routes import (
    alerts,
    audit,
    bank_files,
    banks,
    duplicates,
    frames,
    heads,
    health,
    keys,
    labelling,
    media,
    ml,
    models,
    moderation,
    posts,
    review,
    runs,
    search,
    spaces,
    tags,
    taxonomies,
    timelines,
    topic_edits,
    topic_map,
    topics,
    trend_report,
    trends,
    webhooks,
    words,
)
from postscope.backend.routes.docs import docs_router
from postscope.backend.runtime import Runtime

ROUTERS: Final[tuple[APIRouter, ...]] = (
    posts.router,
    words.router,
    frames.router,
    media.router,
    search.router,
    duplicates.router,
    banks.router,
    bank_files.router,
    moderation.router,
    review.router,
    alerts.router,
    timelines.router,
    trends.router,
    trend_report.router,
    taxonomies.router,
    labelling.router,
    tags.router,
    heads.router,
    ml.router,
    topic_edits.router,
    topic_map.router,
    topics.router,
    runs.router,
    spaces.router,
    models.router,
    keys.router,
    audit.router,
    webhooks.router,
    health.router,
)

_DESCRIPTION: Final = """\
Social posts in, one shared vector space, search out.

Every call but `/healthz` and `/readyz` needs an API key, as `Authorization: Bearer ps_…` or `X-API-Key: ps_…`.
Errors are problems as of RFC 9457 (`application/problem+json`): `code` is for programs, `detail` for people, and
`errors` names each field that is wrong. Every answer carries `X-Request-ID`; one that is sent along is kept.
"""

_TAGS: Final = [
    {"name": "posts", "description": "Posts in, out, and what became of them."},
    {"name": "media", "description": "Files that posts and searches refer to."},
    {"name": "search", "description": "By text, by image, by example, in any mixture."},
    {"name": "duplicates", "description": "Copies and look-alikes of posts, and how copies spread."},
    {"name": "banks", "description": "Known content, and what becomes of its matches."},
    {
        "name": "moderation",
        "description": "Verdicts on posts, what waits for a moderator, and what follows from a match.",
    },
    {"name": "trends", "description": "What posts add up to over time, what grows, what bursts."},
    {"name": "taxonomies", "description": "Sets of labels, applied to every post."},
    {"name": "tags", "description": "What taxonomies say of posts."},
    {"name": "heads", "description": "Small models, trained on what people say of posts."},
    {"name": "ml", "description": "Sentiment, segments, popularity, moderation."},
    {"name": "topics", "description": "What posts are about: found, named, kept, put right by people."},
    {"name": "runs", "description": "Long work: how far it is, and its end."},
    {"name": "models", "description": "Which models are in use, and whether they are what they should be."},
    {"name": "keys", "description": "Who may do what."},
    {"name": "webhooks", "description": "Who is told of events."},
    {"name": "audit", "description": "Who decided what, on which evidence."},
    {"name": "health", "description": "Whether the service lives and works, and its figures."},
]


def create_app(runtime: Runtime) -> FastAPI:
    """The HTTP service over an opened runtime."""
    api = runtime.settings.api
    app = FastAPI(
        title="Postscope",
        summary="Vector-search content intelligence for social posts",
        description=_DESCRIPTION,
        version=__version__,
        openapi_tags=_TAGS,
        contact={"name": "Postscope"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,  # served by a route of ours, behind a key
        lifespan=_lifespan,
        dependencies=[Depends(refuse_nul)],
    )
    app.state.runtime = runtime
    app.state.authenticator = Authenticator(runtime.database, runtime.clock)
    app.state.limiter = _limiter(runtime)
    app.state.readiness = Readiness(checks_of(runtime))
    _watch_backlog(runtime)
    runtime.metrics.watch_heads(lambda: head_figures(runtime))
    app.add_middleware(BodyLimit, max_bytes=api.max_body_bytes)
    app.add_middleware(KeyFirst)
    app.add_middleware(RequestEnvelope, metrics=runtime.metrics)  # added last: the outermost
    add_problem_handlers(app)
    for router in (*ROUTERS, docs_router(open_to_all=api.open_docs)):
        app.include_router(router)
    _serve_document(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    runtime: Runtime = app.state.runtime
    anyio.to_thread.current_default_thread_limiter().total_tokens = runtime.settings.api.threads
    yield


def _limiter(runtime: Runtime) -> RateLimiter:
    api, queue = runtime.settings.api, runtime.settings.queue
    return RateLimiter(
        api.requests_per_minute,
        api.failed_keys_per_minute,
        redis_url=queue.url.get_secret_value() if queue.url else None,
        on_unavailable=runtime.metrics.rate_limit_unavailable,
    )


def _watch_backlog(runtime: Runtime) -> None:
    def read() -> list[work.Backlog]:
        with runtime.database.session() as session:
            return work.backlog(session)

    runtime.metrics.watch_backlog(read, runtime.clock)


def _serve_document(app: FastAPI) -> None:
    """Have ``app.openapi`` answer with our document, made on first use (FastAPI's own way to extend it)."""

    def openapi() -> dict[str, Any]:
        app.openapi_schema = app.openapi_schema or describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
