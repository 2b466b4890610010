"""The inner loop of a layout, compiled. Import it only where it runs: compiling takes seconds the first time.

The compiled code is kept on disk (beside this file, or in ``NUMBA_CACHE_DIR``), so that a process which comes later
pays milliseconds. That is why the loop is ours: umap-learn's is compiled anew in every process.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


def _descend(
    placed: npt.NDArray[np.float32],
    heads: npt.NDArray[np.int32],
    tails: npt.NDArray[np.int32],
    pauses: npt.NDArray[np.float32],
    first: int,
    last: int,
    epochs: int,
    a: float,
    b: float,
    negatives: int,
    rate: float,
    seed: int,
) -> None:
    """Epochs ``first`` to ``last`` of stochastic gradient descent on the cross-entropy of UMAP, in place.

    An edge is pulled together every ``pauses`` epochs, and each time its head is pushed from ``negatives`` others.
    """
    count, dim = placed.shape
    state = np.uint64(seed * 2654435761 + first * 40503 + 88172645463325252)
    for epoch in range(first, last):
        step = rate * (1.0 - epoch / epochs)
        for edge in range(len(heads)):
            pause = pauses[edge]
            if int((epoch + 1) / pause) == int(epoch / pause):
                continue
            head, tail = heads[edge], tails[edge]
            square = 0.0
            for d in range(dim):
                square += (placed[head, d] - placed[tail, d]) ** 2
            if square > 0.0:
                power = square ** (b - 1.0)
                pull = -2.0 * a * b * power / (a * power * square + 1.0)
                for d in range(dim):
                    move = min(4.0, max(-4.0, pull * (placed[head, d] - placed[tail, d]))) * step
                    placed[head, d] += move
                    placed[tail, d] -= move
            for _ in range(negatives):
                # xorshift64 (Marsaglia 2003)
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                other = int(state % np.uint64(count))
                if other == head:
                    continue
                square = 0.0
                for d in range(dim):
                    square += (placed[head, d] - placed[other, d]) ** 2
                push = 2.0 * b / ((0.001 + square) * (a * square**b + 1.0))
                for d in range(dim):
                    move = min(4.0, max(-4.0, push * (placed[head, d] - placed[other, d]))) * step
                    placed[head, d] += move


descend = numba.njit(cache=True, fastmath=True, nogil=True)(_descend)
