"""Runs of ``banks.retro``: entries of a bank against all posts, by their fingerprints and by their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final
from uuid import UUID

from postscope.backend.banks import history, sought
from postscope.backend.banks.checking import Confirmed, confirm, recheck
from postscope.backend.banks.history import Hit, Resembling, Row
from postscope.backend.banks.sought import Sought
from postscope.backend.banks.trying import Tried
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.indexing.known.signals import LIMITS
from postscope.workers.run_context import RunContext

BATCH: Final = 5_000
POSTS: Final = 500
"""Posts whose vectors are read at once."""
_SLICE: Final = 64
_FIRST: Final = str(UUID(int=0))


@dataclass(slots=True)
class State:
    """How far a sweep is; kept as its checkpoint.

    Attributes:
        after: the last fingerprint that was looked at.
        after_post: the last post whose vectors were; in ``space``.
        fingerprints: how many were looked at.
        compared: how many posts were compared by their vectors.
        posts: that were found and checked again.
        matches: new ones.
        not_indexed: posts that have no vectors yet; they are checked when they have.
        lost: candidates whose picture cannot be read any more.
        late: candidates whose fingerprints are being made anew; they are checked when they are there.
        total: fingerprints and posts to look at, as was counted in the beginning.
    """

    after: int = 0
    after_post: str = _FIRST
    space: str = ""
    fingerprints: int = 0
    compared: int = 0
    posts: int = 0
    matches: int = 0
    not_indexed: int = 0
    lost: int = 0
    late: int = 0
    total: int = 0

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> State:
        """From a checkpoint."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (kept or {}).items() if name in known})


def sweep_history(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Find posts by hashes and vectors of the entries, and check each of them as a whole; of a dry run only count.

    Entries are read anew for every batch: one that is switched off, changed or removed meanwhile finds nothing more.
    A checkpoint is committed with what was found up to it, so a kill costs one batch, and checking a post twice
    changes nothing. A dry run starts over after a kill: it has changed nothing.
    """
    sweep = _Trial(runtime, context) if context.params["dry_run"] else _Sweep(runtime, context)
    sweep.through_fingerprints()
    sweep.through_vectors()
    return sweep.result()


class _Sweep:
    """Finds and checks."""

    _slack = False
    """Whether pairs beyond every threshold are looked at too, up to the most that may be set."""

    def __init__(self, runtime: Runtime, context: RunContext) -> None:
        self._runtime = runtime
        self._context = context
        self.state = State.of(self._kept())
        self._entries: Sought | None = None
        self._checked: dict[UUID, tuple[int, str]] = {}

    def through_fingerprints(self) -> None:
        """All posts by their hashes."""
        if not self.state.total:
            self.state.total = self._total()
        while True:
            entries, state = self._sought(), self.state
            with self._runtime.database.session() as session:
                most = history.batch_of(entries.index, BATCH)
                rows = history.read(session, entries.kinds, state.after, most) if entries.kinds else []
            if not rows:
                return
            self._runtime.gate.pause_for_queries()
            self._take_hashes(entries, rows)
            state.after, state.fingerprints = rows[-1].seq, state.fingerprints + len(rows)
            self._report()

    def through_vectors(self) -> None:
        """All posts by what they look like, where any entry has vectors."""
        while True:
            model, state = self._runtime.live, self.state
            entries = self._sought(model)  # of one space, also where it is switched between the two
            if state.space != entries.space:  # the first time, or the space has changed: none was compared in it
                state.space, state.after_post = entries.space, _FIRST
                state.compared = state.not_indexed = 0
            if not entries.index.with_vectors():
                return
            with self._runtime.database.session() as session:
                posts = history.posts_after(session, UUID(state.after_post), POSTS)
            if not posts:
                return
            self._runtime.gate.pause_for_queries()
            least = LIMITS["look_alike"][0] if self._slack else entries.index.widest("look_alike")
            found, missing = history.resembling(self._runtime, model, entries.index, posts, least=least)
            self._take_alike(entries, found)
            state.after_post, state.compared = str(posts[-1]), state.compared + len(posts)
            state.not_indexed += missing
            self._report()

    def result(self) -> dict[str, Any]:
        """At the end what was narrowed or switched off lets go of the posts that it matched before."""
        self.state.matches += self._let_go()
        return {**self._told(), "checked_again": self.state.posts, "new_matches": self.state.matches}

    def _kept(self) -> dict[str, Any] | None:
        return self._context.checkpoint

    def _take_hashes(self, entries: Sought, rows: Sequence[Row]) -> None:
        certain = history.matching(entries.index, history.hits(entries.index, rows))
        found = self._confirmed(entries, certain, history.doubtful(entries.index, rows))
        # of what is lost nobody can say any more that it is no match
        self._check_again(entries, [*found.copies, *found.lost])

    def _take_alike(self, entries: Sought, found: Sequence[Resembling]) -> None:
        now = self._runtime.clock().timestamp()
        index = entries.index
        self._check_again(
            entries,
            [
                one.post_id
                for one in found
                if one.score >= index.threshold(one.place, "look_alike") and index.alive(one.place, now)
            ],
        )

    def _check_again(self, entries: Sought, found: Iterable[UUID]) -> None:
        """Those that were found by another of their hashes, or are copies and look alike too, need no second look."""
        seen = entries.change, entries.space
        posts = [post for post in dict.fromkeys(found) if self._checked.get(post) != seen]
        self._checked.update(dict.fromkeys(posts, seen))
        self.state.matches += self._recheck(posts)
        self.state.posts += len(posts)

    def _note(self) -> str:
        return f"{self.state.posts} posts looked at, {self.state.matches} new matches"

    def _checkpoint(self) -> dict[str, Any] | None:
        return asdict(self.state)

    def _confirmed(self, entries: Sought, certain: Sequence[Hit], doubtful: Sequence[Row]) -> Confirmed:
        """Of all candidates those that are copies. Pictures are laid over each other only where one has a candidate."""
        posts = list(dict.fromkeys([*(hit.row.post_id for hit in certain), *(row.post_id for row in doubtful)]))
        pictures = {row.media_id for row in doubtful if row.kind == "scene" and row.media_id is not None}
        found = Confirmed()
        for some in self._slices(posts):
            one = confirm(self._runtime, entries.index, some, pictures)
            found.copies.update(one.copies)
            found.lost.update(one.lost)
            found.late.update(one.late)
        self.state.lost += len(found.lost)
        self.state.late += len(found.late)
        return found

    def _recheck(self, posts: Sequence[UUID]) -> int:
        return sum(recheck(self._runtime, some, run_id=self._context.id) for some in self._slices(posts))

    def _slices(self, posts: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
        for start in range(0, len(posts), _SLICE):
            self._context.check()
            yield posts[start : start + _SLICE]

    def _let_go(self) -> int:
        """Of posts that were checked since the last change nothing is to be let go: the sweep has just seen to many."""
        after, matches = UUID(int=0), 0
        change, now = self._sought().change, self._runtime.clock()
        while True:
            with self._runtime.database.session() as session:
                posts = sought.matched_before(session, self._context.params, change, now, after, BATCH)
            if not posts:
                return matches
            matches += self._recheck(posts)
            after = posts[-1]

    def _sought(self, model: SpaceModel | None = None) -> Sought:
        space = (model or self._runtime.live).encoder.space.id
        with self._runtime.database.session() as session:
            self._entries = sought.sought(session, self._context.params, space, self._entries)
        return self._entries

    def _total(self) -> int:
        entries = self._sought()
        with self._runtime.database.session() as session:
            count = history.total(session, entries.kinds) if entries.kinds else 0
            return count + (history.count_posts(session) if entries.index.with_vectors() else 0)

    def _report(self) -> None:
        done = self.state.fingerprints + self.state.compared
        self._context.report(done, max(self.state.total, done), self._note(), self._checkpoint())

    def _told(self) -> dict[str, Any]:
        entries = self._sought()
        with self._runtime.database.session() as session:
            reasons = history.unchecked(session, entries.parts)
        if self.state.not_indexed:
            reasons["not_indexed"] = self.state.not_indexed
        candidates = {"file_lost": self.state.lost, "not_fingerprinted": self.state.late}
        return {
            "fingerprints": self.state.fingerprints,
            "compared": self.state.compared,
            "could_not_check": {
                "posts": reasons,
                "candidates": {reason: count for reason, count in candidates.items() if count},
                "entries_without_vectors": entries.unlooked,
            },
        }


class _Trial(_Sweep):
    """Counts, and changes nothing."""

    _slack = True

    def __init__(self, runtime: Runtime, context: RunContext) -> None:
        super().__init__(runtime, context)
        self._tried = Tried()

    def result(self) -> dict[str, Any]:
        return {**self._told(), **self._tried.result()}

    def _kept(self) -> dict[str, Any] | None:
        return None

    def _checkpoint(self) -> dict[str, Any] | None:
        return None

    def _take_hashes(self, entries: Sought, rows: Sequence[Row]) -> None:
        hits = history.hits(entries.index, rows, slack=True)
        self._tried.note_hits(hits)
        certain = history.matching(entries.index, hits)
        self._tried.note_copies(self._confirmed(entries, certain, history.doubtful(entries.index, rows)).copies)

    def _take_alike(self, entries: Sought, found: Sequence[Resembling]) -> None:
        self._tried.note_alike(entries.index, found, self._runtime.clock().timestamp())

    def _note(self) -> str:
        return f"{len(self._tried.copies)} posts would match, {len(self._tried.alike)} look alike"
