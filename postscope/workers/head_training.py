"""The run that trains a head: gather, learn, keep as a candidate; the first one goes live by itself."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import uuid_utils
from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from postscope import __version__
from postscope.backend import audit
from postscope.backend.errors import Conflict
from postscope.backend.heads import comparing, definitions, registry, tracking
from postscope.backend.heads.learning import Lesson, fingerprint, lesson
from postscope.backend.heads.naming import label_names
from postscope.backend.heads.waiting import TRAIN
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion, Post
from postscope.indexing.heads.drift import Reference
from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.training import TooFewLabels, Trained, train
from postscope.workers.run_context import RunContext

KIND = TRAIN
SEED = 1


def train_head(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Train a version. A kill starts it anew, since nothing is written before it is whole; after that it goes on with
    what was made.

    By time and after drift nothing is trained where nothing has changed of what there is to learn from.

    Params:
        head: name.
        cause: ``asked``, ``schedule``, ``drift`` or ``space``.
        promote: whether it goes live by itself where it is better than the live one.
        space: that was live when it was asked for because of it.
    """
    name = str(context.params["head"])
    with runtime.database.session() as session:
        head = definitions.get_or_create(session, name, actor=context.actor, now=runtime.clock())
    made: int | dict[str, Any] | None = (context.checkpoint or {}).get("version")
    if made is None:
        made = _learn(runtime, context, head)
    if isinstance(made, dict):
        return made
    if context.params.get("promote"):
        _promote(runtime, head, made, context.actor)
    with runtime.database.session() as session:
        version = registry.get(session, head, made)
        model = session.scalars(select(HeadVersion.model).where(HeadVersion.id == version.id)).one()
    # At last: a server that does not answer holds back nothing that anybody waits for.
    tracking.log_training(head.name, made, version.report, model)
    return _told(head, version)


def _learn(runtime: Runtime, context: RunContext, head: Head) -> int | dict[str, Any]:
    """The number of the version that was made; or, where there was nothing new to learn, what is told of the old."""
    cause = str(context.params["cause"])
    context.report(0, None, "gathering what there is to learn from")
    timely = cause in ("schedule", "drift")
    before = fingerprint(runtime, head) if timely else None  # what changes while it is gathered is looked at again
    found = lesson(runtime, head)
    space = runtime.live.encoder.space.id
    if timely and (same := _same_lesson(runtime, head, found, space)) is not None:
        return _told(head, same) | {"unchanged": True, "learned_from": before}
    task: Task = "tags" if head.task == "tags" else "classes" if head.task == "classes" else "number"
    names = label_names(runtime, head, found.labels, found.ids, SEED)
    try:
        trained = train(
            found.posts, found.targets, found.labels, task, space=space, seed=SEED, tell=context.report, names=names
        )
    except TooFewLabels as error:
        raise Conflict(f"the head {head.name!r} cannot be trained: {error}", code="too_few_labels") from error
    trained.report["left_out"] = found.left_out
    return _keep(runtime, context, head, found, trained, space)


def _told(head: Head, version: HeadVersion) -> dict[str, Any]:
    report = version.report
    return {
        "head": head.name,
        "version": version.number,
        "objective": report["held_out"]["objective"],
        "posts": version.posts,
        "left_out": report.get("left_out", {}),
        "live": version.state == "live",
    }


def _same_lesson(runtime: Runtime, head: Head, found: Lesson, space: str) -> HeadVersion | None:
    """The newest version where it learned just this: to learn it again would add a version like it, each time anew."""
    with runtime.database.session() as session:
        newest = next(iter(registry.versions(session, head)), None)
        if newest is None or (newest.data_hash, newest.space_id, newest.code_version) != (
            found.hash,
            space,
            __version__,
        ):
            return None
        edited = (
            select(Post.id)
            .where(Post.id == any_(literal(found.ids, ARRAY(Uuid))), Post.updated_at > newest.created_at)
            .limit(1)
        )
        return newest if session.scalar(edited) is None else None


def _keep(runtime: Runtime, context: RunContext, head: Head, found: Lesson, trained: Trained, space: str) -> int:
    now, cause, actor = runtime.clock(), str(context.params["cause"]), context.actor
    with runtime.database.session() as session:
        number = registry.next_number(session, head)
        session.add(
            HeadVersion(
                id=uuid.UUID(str(uuid_utils.uuid7())),
                head_id=head.id,
                number=number,
                space_id=space,
                data_hash=found.hash,
                code_version=__version__,
                cause=cause,
                window_from=_moment(found.posts.times.min()),
                window_to=_moment(found.posts.times.max()),
                posts=len(found.ids),
                report=trained.report,
                reference=Reference.of(found.posts.fused, trained.expected).to_json(),
                model=trained.head.dumps(),
                judged=trained.judged.dumps(),
                trained_on=_taught(found, trained),
                actor=actor,
                created_at=now,
            )
        )
        evidence = {"version": number, "cause": cause, "posts": len(found.ids), "data_hash": found.hash.hex()}
        audit.record(session, actor=actor, action="head.train", subject=f"head:{head.name}", evidence=evidence, now=now)
        context.keep(session, {"version": number})
    return number


def _taught(found: Lesson, trained: Trained) -> bytes:
    """Ids of the posts: those that were held out come last."""
    held = set(trained.held_out.tolist())
    parts = [[post_id.bytes for n, post_id in enumerate(found.ids) if (n in held) == out] for out in (False, True)]
    return b"".join(id for part in parts for id in sorted(part))


def _promote(runtime: Runtime, head: Head, number: int, actor: str) -> None:
    with suppress(Conflict):  # the space or the live version changed: it stays a candidate, which can be compared
        better = comparing.compare(runtime, head, number)
        if better.better:
            with runtime.database.session() as session:
                registry.promote(session, head, number, better=better.as_dict(), actor=actor, now=runtime.clock())


def _moment(seconds: np.float64) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
