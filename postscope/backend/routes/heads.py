"""Trained heads: define, judge, train, compare, promote, ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.heads import comparing, definitions, drift, judging, registry
from postscope.backend.heads.definitions import Definition
from postscope.backend.heads.predicting import PredictRequest, predict, silent
from postscope.backend.heads.waiting import TRAIN, waits
from postscope.backend.parameters import Counted
from postscope.backend.routes.head_models import (
    ComparisonOut,
    DriftList,
    DriftOut,
    HeadIn,
    HeadList,
    HeadOut,
    JudgementsIn,
    JudgementsTaken,
    PredictAnswer,
    ScheduleIn,
    ShadowIn,
    TrainIn,
    VersionList,
    VersionOut,
    WaitOut,
)
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion

router = APIRouter(prefix="/v1/heads", tags=["heads"])

Reader = Annotated[Caller, Depends(require(Role.PRODUCT, Role.ANALYST, Role.MODERATOR))]
Writer = Annotated[Caller, Depends(require(Role.PRODUCT, Role.ANALYST))]
Judge = Annotated[Caller, Depends(require(Role.ANALYST, Role.MODERATOR))]

READERS = (Role.PRODUCT, Role.ANALYST)


@router.post("", status_code=201, summary="Define a head")
def create_head(request: Request, caller: Writer, body: HeadIn) -> HeadOut:
    """It learns from judgements, or from the engagement of posts, once it is trained."""
    runtime = runtime_of(request)
    wanted = Definition(
        body.task, body.target, tuple(body.fields), window_days=body.window_days, retrain_days=body.retrain_days
    )
    with runtime.database.session() as session:
        head = definitions.create(
            session, body.name, wanted, label_set=body.label_set, actor=caller.name, now=runtime.clock()
        )
        return _out(session, runtime, head)


@router.get("", summary="List heads")
def list_heads(request: Request, _: Reader) -> HeadList:
    """All heads with their versions in use."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return HeadList(heads=[_out(session, runtime, head) for head in definitions.every(session)])


@router.get("/{name}", summary="One head and its versions")
def read_versions(name: str, request: Request, _: Reader) -> VersionList:
    """Every training, the newest first, with its report."""
    with runtime_of(request).database.session() as session:
        found: Sequence[HeadVersion] = registry.versions(session, definitions.get(session, name))
        return VersionList(versions=[VersionOut.of(version) for version in found])


@router.patch("/{name}", summary="Change when a head is trained again, and on what")
def reschedule(name: str, request: Request, caller: Writer, body: ScheduleIn) -> HeadOut:
    """By time, and over a window that moves with it. A built-in head is made if it is not there yet."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.reschedule(
            session, name, body.model_dump(exclude_unset=True), actor=caller.name, now=runtime.clock()
        )
        return _out(session, runtime, head)


@router.post("/{name}/judgements", summary="Tell a head what is right")
def add_judgements(name: str, request: Request, caller: Judge, body: JudgementsIn) -> JudgementsTaken:
    """The newest word on a post counts. If one is wrong, none is kept, and each problem is named."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get_or_create(session, name, actor=caller.name, now=runtime.clock())
        taken = judging.judge(
            session,
            head,
            [item.judgement() for item in body.judgements],
            source="correction" if body.correction else "upload",
            actor=caller.name,
            now=runtime.clock(),
        )
    return JudgementsTaken(judgements=taken.judgements, posts=taken.posts)


@router.post("/{name}/train", status_code=202, summary="Train a head")
def train(name: str, request: Request, caller: Writer, body: TrainIn | None = None) -> RunOut:
    """A run: several ways to fuse and to learn are compared by cross-validation, and the best is kept."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get_or_create(session, name, actor=caller.name, now=runtime.clock())
        run = runs.start(
            session,
            TRAIN,
            {"head": head.name, "cause": "asked", "promote": body.promote if body else True},
            actor=caller.name,
            readers=READERS,
            now=runtime.clock(),
            exclusive=f"{TRAIN}:{head.name}",
        )
        return RunOut.of(run)


@router.get("/{name}/versions/{number}/comparison", summary="Compare a version with the live one")
def compare(name: str, number: Counted, request: Request, _: Reader) -> ComparisonOut:
    """On the newest labelled posts, which the version was not taught."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get(session, name)
    found = comparing.compare(runtime, head, number)
    return ComparisonOut.model_validate(found, from_attributes=True)


@router.post("/{name}/versions/{number}/shadow", summary="Let a version score unseen, or for a share of posts")
def shadow(name: str, number: Counted, request: Request, caller: Writer, body: ShadowIn | None = None) -> VersionOut:
    """It scores every new post; nobody sees it, but for the share of posts that are asked for."""
    runtime = runtime_of(request)
    share, space = body.share if body else 0.0, runtime.live.encoder.space.id
    with runtime.database.session() as session:
        head = definitions.get(session, name)
        version = registry.shadow(
            session, head, number, share=share, space=space, actor=caller.name, now=runtime.clock()
        )
        return VersionOut.of(version)


@router.post("/{name}/versions/{number}/promote", summary="Make a version live")
def promote(name: str, number: Counted, request: Request, caller: Writer) -> VersionOut:
    """Only if it is better than the live one on the same held-out posts; otherwise 409 says by how much it is not."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get(session, name)
    better = comparing.compare(runtime, head, number).as_dict()
    with runtime.database.session() as session:
        version = registry.promote(session, head, number, better=better, actor=caller.name, now=runtime.clock())
        return VersionOut.of(version)


@router.post("/{name}/versions/{number}/retire", summary="Use a version no more")
def retire(name: str, number: Counted, request: Request, caller: Writer) -> VersionOut:
    """Of the live one nothing takes the place, but the default where the head has one."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get(session, name)
        return VersionOut.of(registry.retire(session, head, number, actor=caller.name, now=runtime.clock()))


@router.post("/{name}/rollback", summary="Go back to the version that was live before")
def rollback(name: str, request: Request, caller: Writer) -> VersionOut:
    """At once, without a comparison."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get(session, name)
        space = runtime.live.encoder.space.id
        return VersionOut.of(registry.rollback(session, head, space=space, actor=caller.name, now=runtime.clock()))


@router.post("/{name}/predict", summary="Ask a head")
def predict_items(name: str, request: Request, _: Reader, body: PredictRequest) -> PredictAnswer:
    """What the live version says of posts, or of content that is sent along."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        definitions.get(session, name)
    said = predict(runtime, name, body.items)
    if said is None:
        raise silent(runtime, name, f"the head {name!r} has no live version: train it")
    return PredictAnswer(items=said)


@router.get("/{name}/drift", summary="How far what is seen is from what was learned")
def read_drift(name: str, request: Request, _: Reader, days: Annotated[int, Query(ge=1, le=365)] = 30) -> DriftList:
    """Distances of embeddings and scores from the training window, and how often people agreed."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        head = definitions.get(session, name)
        found = drift.history(session, head, since=runtime.clock() - timedelta(days=days))
        return DriftList(measurements=[DriftOut.model_validate(row, from_attributes=True) for row in found])


def _out(session: Session, runtime: Runtime, head: Head) -> HeadOut:
    space, now = runtime.live.encoder.space.id, runtime.clock()
    live, trial = registry.in_state(session, head, "live"), registry.in_state(session, head, "shadow")
    stale = live is not None and live.space_id != space
    wait = waits(session, head, stale=stale, space=space, now=now) if live is not None else None
    known = {name: getattr(head, name) for name in HeadOut.model_fields if hasattr(head, name)}
    return HeadOut.model_validate(
        known
        | {
            "live": live.number if live else None,
            "shadow": trial.number if trial else None,
            "stale": stale,
            "waits": None if wait is None else WaitOut.model_validate(wait, from_attributes=True),
        }
    )
