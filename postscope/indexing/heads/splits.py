"""Training and test sets that do not deceive: near-copies stay together, and the past predicts the future."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from postscope.indexing.heads.features import Floats, Indices

SplitKind = Literal["time", "groups"]
A_STRATUM = 5
"""What is learned from less says nothing about what is learned from all."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Places of what is trained on and what is tested on."""

    train: Indices
    test: Indices


def hold_out(times: Floats, groups: Indices, share: float) -> Fold:
    """The newest ``share`` of the groups are for the test; a group is as old as its first member.

    Deterministic: of groups as old as each other the lower number comes first.
    """
    order = _groups_by_time(times, groups)
    wanted, taken = share * len(groups), 0
    test: set[int] = set()
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    for group in reversed(order):
        if taken >= wanted or len(test) == len(order) - 1:
            break
        test.add(group)
        taken += sizes[group]
    chosen = np.isin(groups, sorted(test))
    return Fold(np.flatnonzero(~chosen), np.flatnonzero(chosen))


def folds(
    times: Floats, groups: Indices, strata: Sequence[str], *, count: int, seed: int
) -> tuple[SplitKind, list[Fold]]:
    """Cross-validation: by time where time allows it, otherwise by groups.

    By time, each test block is predicted from all that came before it (rolling origin, Tashman 2000). That needs
    every stratum in the first block, and ``A_STRATUM`` posts of each on average; where labels are few or came all at
    once, groups are dealt out so that each fold has its share of each stratum (stratified group k-fold).

    Args:
        times: shape (n,).
        groups: shape (n,).
        strata: the class of each, or "" where there are none.
        count: folds wanted, 2 or more.
        seed: of the dealing.
    """
    by_time = _rolling(times, groups, count)
    kinds = set(strata)
    enough = by_time and len(by_time[0].train) >= A_STRATUM * len(kinds)
    if enough and all({strata[n] for n in fold.train} == kinds for fold in by_time):
        return "time", by_time
    return "groups", _stratified(groups, strata, count, seed)


def _rolling(times: Floats, groups: Indices, count: int) -> list[Fold]:
    order = _groups_by_time(times, groups)
    if len(order) < 2 * (count + 1) or np.ptp(times) <= 0:
        return []
    place = {group: n * (count + 1) // len(order) for n, group in enumerate(order)}
    block = np.array([place[group] for group in groups.tolist()])
    return [Fold(np.flatnonzero(block < n), np.flatnonzero(block == n)) for n in range(1, count + 1)]


def _stratified(groups: Indices, strata: Sequence[str], count: int, seed: int) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold

    # No more folds than groups, nor than the most frequent stratum has posts: the library refuses both.
    count = min(count, len(np.unique(groups)), max(Counter(strata).values(), default=0))
    if count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    places = np.zeros((len(groups), 1))
    return [Fold(train, test) for train, test in splitter.split(places, _common(strata, count), groups) if len(test)]


def _common(strata: Sequence[str], count: int) -> list[str]:
    """What has fewer posts than there are folds cannot be in each of them: all such are one stratum, or, if they are
    too few together, are dealt out with the most frequent one."""
    sizes = Counter(strata)
    rare = {stratum for stratum, size in sizes.items() if size < count}
    most = max(sorted(sizes), key=lambda stratum: sizes[stratum])
    into = "rare" if sum(sizes[stratum] for stratum in rare) >= count else most
    return [f"in {into}" if stratum in rare or stratum == into else stratum for stratum in strata]


def _groups_by_time(times: Floats, groups: Indices) -> list[int]:
    first: dict[int, float] = {}
    for time, group in zip(times.tolist(), groups.tolist(), strict=True):
        first[group] = min(time, first.get(group, np.inf))
    return sorted(first, key=lambda group: (first[group], group))
