"""A sample that has every part of a window in it, for windows too large to cluster whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


def stratified(strata: npt.NDArray[np.int64], size: int, *, seed: int) -> Places:
    """Places of ``size`` of n points, sorted, each stratum in proportion to its size and with at least one.

    Args:
        strata: (n,) the stratum of each point, any numbers.
        size: at least 1; n or more gives all.
        seed: of the choice.
    """
    if size >= len(strata):
        return np.arange(len(strata))
    generator = np.random.default_rng(seed)
    # Systematic sampling (Madow 1949) along the strata, each in random order: exact in size, in proportion everywhere.
    order = np.lexsort((generator.permutation(len(strata)), strata))
    step = len(strata) / size
    chosen = order[(generator.uniform(0, step) + step * np.arange(size)).astype(np.int64).clip(max=len(strata) - 1)]
    missing = np.setdiff1d(np.unique(strata), strata[chosen])
    if len(missing) and len(missing) <= size // 10:
        firsts = order[np.searchsorted(strata[order], missing)]
        chosen = np.concatenate([firsts, generator.permutation(chosen)[: size - len(firsts)]])
    return np.sort(chosen)
