"""A taxonomy's thresholds from what people said: fitted on stored vectors, reported, kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import uuid_utils
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import Invalid, NotFound
from postscope.backend.runtime import Runtime
from postscope.backend.tables import (
    Post,
    Taxonomy,
    TaxonomyExample,
    TaxonomyLabel,
    TaxonomyReport,
    TaxonomyVersion,
)
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.judgements import sample_of
from postscope.backend.tagging.taggers import Tagger, batch_of, curves_of, tagger_of, threshold_of
from postscope.indexing.folds import copy_groups
from postscope.indexing.label_fit import Judged
from postscope.indexing.label_report import Fit, calibrate_labels
from postscope.indexing.stores.base import Stored
from postscope.indexing.zero_shot import background_logits, post_logits

MOST_POSTS: Final = 20_000
MOST_CELLS: Final = 20_000_000
FEWEST: Final = 20
UNKNOWN: Final = "unknown"


def calibrate(
    runtime: Runtime,
    version_id: int,
    *,
    actor: str,
    seed: int,
    look: Callable[[str], None] = lambda _: None,
    keep: Callable[[Session, dict[str, Any]], None] = lambda *_: None,
) -> dict[str, Any]:
    """Fit a version's probabilities and thresholds, and keep the report.

    A draft is changed itself; of a version that was applied a new draft is made, since what it says of posts stands.

    Args:
        runtime: of this process.
        version_id: of the version.
        actor: who asked.
        seed: of folds, resampling, and of which posts are taken where there are too many.
        look: called between the steps with what comes next.
        keep: called with what is returned, in the transaction that keeps it.

    Raises:
        NotFound: it was deleted.
        Invalid: too few posts that are indexed were judged.
    """
    model = runtime.live
    with runtime.database.session() as session:
        version = session.get(TaxonomyVersion, version_id)
        if version is None:
            raise NotFound("the version was deleted")
        name = session.scalars(select(Taxonomy.name).where(Taxonomy.id == version.taxonomy_id)).one()
    tagger = tagger_of(runtime, model, version)
    with runtime.database.session() as session:
        sample = sample_of(session, version.taxonomy_id, tagger.paths, exclusive=version.exclusive)
    look("reading vectors")
    points, truth, left_out = _points(runtime, model.collection, sample.ids, sample.truth, seed)
    if len(points) < FEWEST:
        raise Invalid.of("labels", f"{len(points)} labelled posts are indexed, at least {FEWEST} are needed")
    look("fitting")
    fit = _fit(runtime, tagger, points, truth, model.encoder.space.dim, seed)
    fit.report["left_out"] = left_out
    with runtime.database.session() as session:
        told = _keep(session, name, version_id, tagger, fit, sample.data_hash, model.encoder.space.id, actor,
                     runtime.clock())  # fmt: skip
        keep(session, told)
    return told


def _points(
    runtime: Runtime, collection: str, ids: Sequence[UUID], truth: np.ndarray[Any, Any], seed: int
) -> tuple[list[Stored], np.ndarray[Any, Any], dict[str, int]]:
    """Judged posts that have vectors, at most ``MOST_POSTS`` and ``MOST_CELLS``; and how many are left out, why."""
    most = max(FEWEST, min(MOST_POSTS, MOST_CELLS // max(1, truth.shape[1])))
    rows = list(range(len(ids)))
    if len(rows) > most:
        rows = sorted(np.random.default_rng(seed).choice(len(ids), most, replace=False).tolist())
    found = {point.id: point for point in runtime.store.retrieve(collection, [ids[n] for n in rows])}
    there = [n for n in rows if ids[n] in found and (found[ids[n]].dense or found[ids[n]].multi)]
    left_out = {"too_many": len(ids) - len(rows), "nothing_indexed": len(rows) - len(there)}
    return [found[ids[n]] for n in there], truth[there], left_out


def _fit(
    runtime: Runtime, tagger: Tagger, points: Sequence[Stored], truth: np.ndarray[Any, Any], dim: int, seed: int
) -> Fit:
    posts = batch_of(points, dim)
    space = tagger.labeller.space
    kinds = posts.kinds()
    judged = Judged(post_logits(space.parts, posts), background_logits(space, posts), truth, kinds)
    with runtime.database.session() as session:
        rows = session.execute(
            select(Post.id, Post.text, Post.source, Post.language, Post.detected_language).where(
                Post.id.in_([point.id for point in points])
            )
        )
        known = {row.id: row for row in rows}
    about = [known.get(point.id) for point in points]
    nothing = np.zeros(dim, np.float32)
    groups = copy_groups(
        np.stack([point.dense.get("post", nothing) for point in points]), [row.text if row else "" for row in about]
    )
    slices = {
        "language": [(row.language or row.detected_language or UNKNOWN) if row else UNKNOWN for row in about],
        "source": [row.source if row else UNKNOWN for row in about],
        "kind": [str(kind) for kind in kinds],
        "media": [_media(point) for point in points],
    }
    return calibrate_labels(tagger.labeller, judged, groups, paths=tagger.paths, slices=slices, seed=seed)


def _media(point: Stored) -> str:
    kinds = point.payload.get("media")
    return "+".join(map(str, kinds)) if isinstance(kinds, list) and kinds else "none"


def _keep(
    session: Session,
    name: str,
    version_id: int,
    tagger: Tagger,
    fit: Fit,
    data_hash: bytes,
    space: str,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    version = session.get(TaxonomyVersion, version_id, with_for_update=True)
    if version is None:
        raise NotFound("the version was deleted")
    target = (
        version
        if version.state == "draft" and version.applied_at is None
        else _copy(session, version, space, actor, now)
    )
    report_id = uuid.UUID(str(uuid_utils.uuid7()))
    target.calibration = {
        "space": space,
        "curves": {part: list(curve) for part, curve in curves_of(version.calibration, space).items()},
        "scale": dict(fit.temper.scale),
        "shift": dict(fit.temper.shift),
        "report": str(report_id),
    }
    for path, threshold, fitted, told in zip(
        tagger.paths, fit.thresholds.tolist(), fit.fitted.tolist(), fit.report["labels"], strict=True
    ):
        values: dict[str, Any] = {"fit": {key: told[key] for key in ("reason", "support", "f05", "f05_interval")}}
        if fitted:
            values |= {"threshold": threshold, "threshold_from": "fitted"}
        session.execute(
            update(TaxonomyLabel)
            .where(TaxonomyLabel.version_id == target.id, TaxonomyLabel.path == path)
            .values(**values)
        )
    session.add(
        TaxonomyReport(
            id=report_id, version_id=target.id, actor=actor, created_at=now, data_hash=data_hash, report=fit.report
        )
    )
    told = {
        "version": target.number,
        "fitted": int(fit.fitted.sum()),
        "labels": len(tagger.paths),
        "posts": fit.report["posts"],
        "weighted_f05": fit.report["weighted_f05"],
        "ece": fit.report["calibration"]["ece"],
    }
    audit.record(
        session,
        actor=actor,
        action="taxonomy.calibrate",
        subject=f"taxonomy:{name}",
        evidence={"of": version.number, "data": data_hash.hex(), **told},
        now=now,
    )
    return told


def _copy(session: Session, version: TaxonomyVersion, space: str, actor: str, now: datetime) -> TaxonomyVersion:
    """The next version, with the same labels and examples; thresholds fitted in another space are not kept."""
    taxonomy = session.get_one(Taxonomy, version.taxonomy_id, with_for_update=True)
    made = TaxonomyVersion(
        taxonomy_id=taxonomy.id,
        number=taxonomies.next_number(taxonomy),
        description=version.description,
        exclusive=version.exclusive,
        open=version.open,
        background=version.background,
        origin="calibration",
        based_on=version.number,
        created_by=actor,
        created_at=now,
    )
    session.add(made)
    session.flush()
    labels = taxonomies.labels_of(session, version.id)
    kept = ("path", "position", "description", "prompts", "threshold", "threshold_from")
    ids = session.scalars(
        insert(TaxonomyLabel).returning(TaxonomyLabel.id, sort_by_parameter_order=True),
        [
            {name: getattr(label, name) for name in kept} | {"version_id": made.id} | _threshold(label, version, space)
            for label in labels
        ],
    ).all()
    examples = taxonomies.examples_of(session, version.id)
    rows = [
        {"label_id": id, **{name: getattr(row, name) for name in ("positive", "text", "post_id", "upload_id")}}
        for id, label in zip(ids, labels, strict=True)
        for row in examples.get(label.id, ())
    ]
    if rows:
        session.execute(insert(TaxonomyExample), rows)
    return made


def _threshold(label: TaxonomyLabel, version: TaxonomyVersion, space: str) -> dict[str, Any]:
    threshold = threshold_of(label, version, space)
    return {} if threshold == label.threshold else {"threshold": threshold, "threshold_from": "default"}


def recalibrated(runtime: Runtime, version_id: int, *, actor: str) -> int:
    """The version to apply after a switch of the space: one whose calibration, if it has any, is of the live space.

    Returns:
        The id of a draft that was fitted anew to what people said; of the version itself where it was not calibrated,
        or where too little of what was judged is there.

    Raises:
        NotFound: it was deleted.
    """
    space = runtime.live.encoder.space.id
    with runtime.database.session() as session:
        version = session.get(TaxonomyVersion, version_id)
        if version is None:
            raise NotFound("the version was deleted")
        if version.calibration is None or version.calibration.get("space") == space:
            return version_id
        # A run that was killed behind the calibration goes on with what it made.
        made = select(TaxonomyVersion).where(
            TaxonomyVersion.taxonomy_id == version.taxonomy_id,
            TaxonomyVersion.based_on == version.number,
            TaxonomyVersion.state.in_(("draft", "applying")),
        )
        for draft in session.scalars(made.order_by(TaxonomyVersion.number.desc())):
            if draft.calibration is not None and draft.calibration.get("space") == space:
                return draft.id
    try:
        told = calibrate(runtime, version_id, actor=actor, seed=0)
    except Invalid:
        return version_id
    with runtime.database.session() as session:
        return session.scalars(
            select(TaxonomyVersion.id).where(
                TaxonomyVersion.taxonomy_id == version.taxonomy_id, TaxonomyVersion.number == told["version"]
            )
        ).one()


def report_of(session: Session, name: str, number: int | None) -> TaxonomyReport:
    """The newest report of a version; without a number of any version.

    Raises:
        NotFound: there is none.
    """
    taxonomy = taxonomies.get(session, name)
    query = (
        select(TaxonomyReport)
        .join(TaxonomyVersion, TaxonomyVersion.id == TaxonomyReport.version_id)
        .where(TaxonomyVersion.taxonomy_id == taxonomy.id)
        .order_by(TaxonomyReport.created_at.desc(), TaxonomyReport.id.desc())
        .limit(1)
    )
    found = session.scalar(query if number is None else query.where(TaxonomyVersion.number == number))
    if found is None:
        raise NotFound(
            f"the taxonomy {name!r} was not calibrated" + ("" if number is None else f" in version {number}")
        )
    return found
