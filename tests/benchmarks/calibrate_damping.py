"""Find the loud channels of both text encoders: ``python -m tests.benchmarks.calibrate_damping``.

Prints the ``DAMPING`` tables of ``text_e5`` and ``text_minilm``. A channel's peak over the posts is compared
with twice the median peak of its matrix; the excess to the power 0.7, rounded to a power of two, is its
damping. Only the matrices behind a layer norm are damped: on the other two it cost more than it gained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders import text_e5, text_minilm
from postscope.indexing.encoders.bert_graph import Bert
from postscope.indexing.encoders.e5_file import read_e5
from postscope.indexing.encoders.text_tower import Embed, TokenIds
from postscope.indexing.encoders.weights import E5_SMALL, MINILM, MINILM_TOKENIZER
from tests.indexing.bert_reference import forward
from tests.indexing.multilingual_posts import ALL_POSTS

DAMPED = ("qkv", "up")
POWER = 0.7
QUIET = 2.0


def main() -> None:
    """Print both tables."""
    file = read_e5(E5_SMALL.locate())
    prefixed = [prefix + post for prefix in ("passage: ", "query: ") for post in ALL_POSTS]
    print(
        "text_e5",
        damping(text_e5.e5_bert(file), text_e5.e5_tokenizer(file)(prefixed), text_e5.e5_embedding(file)),
    )
    tensors = text_minilm.read_safetensors(MINILM.locate())
    tokens = text_minilm.minilm_tokenizer(MINILM_TOKENIZER.locate())(ALL_POSTS)
    bert = text_minilm.minilm_bert(tensors)
    print("text_minilm", damping(bert, tokens, text_minilm.minilm_embedding(tensors)))


def damping(bert: Bert, tokens: Sequence[TokenIds], embed: Embed) -> Mapping[str, Mapping[int, int]]:
    """For each matrix with loud input channels: channel to exponent."""
    found = {}
    for name, peak in peaks(bert, tokens, embed).items():
        if name.rpartition(".")[2] in DAMPED:
            exponents = np.rint(POWER * np.log2(peak / (QUIET * np.median(peak)))).astype(int)
            found[name] = {int(channel): int(exponents[channel]) for channel in np.flatnonzero(exponents > 0)}
    return {name: loud for name, loud in found.items() if loud}


def peaks(bert: Bert, tokens: Sequence[TokenIds], embed: Embed) -> dict[str, npt.NDArray[np.float32]]:
    """The largest magnitude of each input channel of each matrix."""
    found: dict[str, npt.NDArray[np.float32]] = {}

    def observe(name: str, values: npt.NDArray[np.float32]) -> None:
        found[name] = np.maximum(found.get(name, 0), np.abs(values).max(axis=0))

    for ids in tokens:
        forward(bert, embed(np.array([ids]))[0], observe)
    return found


if __name__ == "__main__":
    main()
