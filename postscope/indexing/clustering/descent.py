"""The inner loop of a layout, compiled. Import it only where it runs: compiling takes seconds the first time.

The compiled code is kept on disk (beside this file, or in ``NUMBA_CACHE_DIR``), so that a process which comes later
pays milliseconds. That is why the loop is ours: umap-learn's is compiled anew in every process.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

_ONE, _TWO, _NEAR, _MOST = np.float32(1.0), np.float32(2.0), np.float32(0.001), np.float32(4.0)


def _descend(
    placed: npt.NDArray[np.float32],
    heads: npt.NDArray[np.int32],
    tails: npt.NDArray[np.int32],
    pauses: npt.NDArray[np.float32],
    first: int,
    last: int,
    epochs: int,
    curve: float,
    negatives: int,
    rate: float,
    seed: int,
) -> None:
    """Epochs ``first`` to ``last`` of stochastic gradient descent on the cross-entropy of UMAP, in place.

    An edge is pulled together every ``pauses`` epochs, and each time its head is pushed from ``negatives`` others.
    All in single precision, and without powers: see ``LayoutParams.a``, here ``curve``.
    """
    count, dim = placed.shape
    a = np.float32(curve)
    state = np.uint64(seed * 2654435761 + first * 40503 + 88172645463325252)
    for epoch in range(first, last):
        step = np.float32(rate * (1.0 - epoch / epochs))
        most = _MOST * step
        for edge in range(len(heads)):
            pause = pauses[edge]
            if int((epoch + 1) / pause) == int(epoch / pause):
                continue
            head, tail = heads[edge], tails[edge]
            square = np.float32(0.0)
            for d in range(dim):
                apart = placed[head, d] - placed[tail, d]
                square += apart * apart
            pull = -_TWO * a / (a * square + _ONE) * step
            for d in range(dim):
                move = min(most, max(-most, pull * (placed[head, d] - placed[tail, d])))
                placed[head, d] += move
                placed[tail, d] -= move
            for _ in range(negatives):
                # xorshift64 (Marsaglia 2003); its upper half, scaled to the count (Lemire 2019)
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                other = int(((state >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32))
                if other == head:
                    continue
                square = np.float32(0.0)
                for d in range(dim):
                    apart = placed[head, d] - placed[other, d]
                    square += apart * apart
                push = _TWO / ((_NEAR + square) * (a * square + _ONE)) * step
                for d in range(dim):
                    move = min(most, max(-most, push * (placed[head, d] - placed[other, d])))
                    placed[head, d] += move


descend = numba.njit(cache=True, fastmath=True, nogil=True)(_descend)
