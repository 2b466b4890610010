"""The extract stage: fetches media by URL into the blob store and says of each what it is, or why it is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from postscope.backend.fetch_errors import FetchError
from postscope.backend.loose_blobs import loosen_blobs
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media
from postscope.backend.work import Claim, Stage
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.inspect import MediaInfo
from postscope.workers.outcome import Outcome


@dataclass(frozen=True, slots=True)
class _Fetched:
    sha256: str
    info: MediaInfo


def extract(runtime: Runtime, claims: Sequence[Claim]) -> list[Outcome]:
    """Fetch what waits. A URL that may work later is retried; the post's other parts are indexed meanwhile."""
    return [_extract_post(runtime, held) for held in claims]


def _extract_post(runtime: Runtime, held: Claim) -> Outcome:
    with runtime.database.session() as session:
        waiting = list(
            session.scalars(
                select(Media)
                .where(Media.post_id == held.post_id, Media.state == "waiting", Media.url.is_not(None))
                .order_by(Media.position)
            )
        )
    last_attempt = held.attempts >= runtime.settings.work.max_attempts
    later: FetchError | None = None
    got: set[str] = set()
    for medium in waiting:
        try:
            fetched = _fetch(runtime, medium.url or "")
        except FetchError as error:
            if error.retryable and not last_attempt:
                later = error
                continue
            _note(runtime, medium, {"state": "failed", "error_code": error.code, "error": error.reason})
        except MediaError as error:
            _note(runtime, medium, {"state": "failed", "error_code": error.code, "error": error.reason})
        else:
            got.add(fetched.info.kind)
            _note(
                runtime,
                medium,
                {
                    "state": "ready",
                    "sha256": fetched.sha256,
                    "kind": fetched.info.kind,
                    "mime": fetched.info.mime,
                    "width": fetched.info.width,
                    "height": fetched.info.height,
                },
            )
    # A still picture is indexed at once; others join when they were taken apart.
    follow = (Stage.INDEX,) * ("image" in got) + (Stage.UNDERSTAND,) * bool(got)
    if later is not None:
        failed = Outcome.failed(held, later.code, later.reason)
        return Outcome(held, failed.error, follow)
    return Outcome(held, follow=follow)


def _fetch(runtime: Runtime, url: str) -> _Fetched:
    with runtime.fetcher.fetch(url) as fetched:
        most = runtime.settings.media.max_bytes
        info = runtime.stills.inspect(fetched.path, claimed=fetched.content_type, max_bytes=most)
        # Noted as loose before: where the post goes meanwhile, or this process does, a sweep takes the file away.
        with runtime.database.session() as session:
            loosen_blobs(session, [fetched.sha256], now=runtime.clock())
        return _Fetched(runtime.blobs.put(fetched.path), info)


def _note(runtime: Runtime, medium: Media, values: dict[str, object]) -> None:
    # One small transaction a medium, so that no lock is held while the next one is fetched. The medium may be
    # gone or replaced by now: then its id matches nothing.
    with runtime.database.session() as session:
        session.execute(update(Media).where(Media.id == medium.id, Media.state == "waiting").values(**values))
