"""What models think of content: spam, abuse, hate, sexual, violence, self-harm. Opinions, never verdicts.

By meaning, without training: each tag is said in a few sentences, and content that is near them has it. Whoever makes
a taxonomy named ``moderation`` (with examples, own labels, own thresholds) replaces ours by it. A trained head of that
name speaks beside them: see ``trained``. Pictures may be shown to a classifier that ships its weights as well: see
``seeing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, Field

from postscope.backend.errors import NotFound
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.taggers import tagger_of
from postscope.backend.tagging.vectors import Spoken, make
from postscope.indexing.label_blocks import Labeller
from postscope.indexing.types import Vector, Vectors
from postscope.indexing.zero_shot import Examples, LabelSpace, PostBatch

TAXONOMY: Final = "moderation"
"""The taxonomy that replaces the tags below, where there is one of this name; and a head that speaks beside them."""
THRESHOLDS: Final = {"bundled": 0.3, "bundled-en": 0.085}
"""Of our own prompts, by the name of the space. On tweets that are not offensive (of TweetEval's training part) one in
twenty is given any tag. They rank better than they decide: see docs/benchmarks.md."""
THRESHOLD: Final = 0.3
"""In any other space."""

PROMPTS: Final = {
    "spam": (
        "spam: buy now, limited offer, click this link to win a prize",
        "an unwanted advertisement that promises easy money",
        "follow me and send money to double your crypto",
    ),
    "abuse": (
        "an insult that calls somebody an idiot, a loser or a piece of trash",
        "a message that bullies, threatens and humiliates a person",
        "shut up, you are disgusting and everybody hates you",
        "you are such an idiot",
        "what a bunch of stupid liars",
        "this piece of shit should shut the fuck up",
        "she is a disgusting bitch",
        "you people are sick losers",
    ),
    "hate": (
        "hatred of people because of their race, religion, origin or sexuality",
        "a racist slur against a whole group of people",
        "they are vermin and should all be thrown out of the country",
    ),
    "sexual": (
        "pornography and naked bodies",
        "an explicit description of sex",
        "nude pictures, adults only",
    ),
    "violence": (
        "graphic violence, blood and dead bodies",
        "a threat to kill or hurt people",
        "somebody is beaten, stabbed or shot",
    ),
    "self-harm": (
        "somebody wants to kill themselves",
        "cutting oneself, suicide, self-injury",
        "I do not want to live any more",
    ),
}
BACKGROUND: Final = (
    "an everyday post about family, food, weather or work",
    "news about politics, sport or technology",
    "a photo of a landscape, an animal or a thing",
    "a friendly conversation",
    "a strong opinion about politicians, parties and laws",
    "a complaint about a company, a product or bad service",
    "people joke, tease and laugh together",
    "praise, thanks and love for somebody",
    "a question to somebody and an answer",
    "a link to an article with a short remark",
    "a fan writes about a series, a song or a match",
)


class TagOpinion(BaseModel):
    """How likely content has a tag; ``given``: it reaches the threshold. ``by``: prompts, or a taxonomy's version."""

    tag: str = Field(examples=["spam"])
    score: float = Field(description="a probability", examples=[0.81])
    threshold: float = Field(examples=[0.5])
    given: bool
    by: str = Field(examples=["prompts"])


def tags(runtime: Runtime, model: SpaceModel, text: Vector | None, media: Vectors | None) -> list[TagOpinion]:
    """The most likely first; none for content without anything to compare.

    Args:
        runtime: of this process.
        model: whose vectors these are.
        text: shape (dim,), centred.
        media: shape (n, dim), centred.
    """
    if text is None and (media is None or not len(media)):
        return []
    names, labeller, by = _labeller(runtime, model)
    batch = PostBatch.of([text], [media], model.encoder.space.dim)
    scores = labeller.probabilities(batch)[0]
    given = set(labeller.give(batch).label.tolist())
    found = [
        TagOpinion(
            tag=name,
            score=round(float(score), 4),
            threshold=round(float(labeller.thresholds[place]), 4),
            given=place in given,
            by=by,
        )
        for place, (name, score) in enumerate(zip(names, scores, strict=True))
    ]
    return sorted(found, key=lambda opinion: (-opinion.score, opinion.tag))


def _labeller(runtime: Runtime, model: SpaceModel) -> tuple[Sequence[str], Labeller, str]:
    try:
        with runtime.database.session() as session:
            version = taxonomies.get_version(session, TAXONOMY)
    except NotFound:
        return tuple(PROMPTS), _built_in(runtime, model), "prompts"
    tagger = tagger_of(runtime, model, version)
    return tagger.paths, tagger.labeller, f"taxonomy {TAXONOMY} {version.number}"


def _built_in(runtime: Runtime, model: SpaceModel) -> Labeller:
    """The tags above in a space; a few dozen sentences are encoded, once."""
    key = ("moderation tags", model.encoder.space.id)
    kept: Labeller | None = runtime.taggers.get(key)
    if kept is not None:
        return kept
    none = Examples.none(model.encoder.space.dim)
    spoken = [Spoken(prompts, none, none) for prompts in PROMPTS.values()]
    with runtime.gate.query():
        made = make(runtime, model, spoken, BACKGROUND)
    labeller = Labeller(
        LabelSpace.of(made.labels, dict.fromkeys(made.labels, made.background), model.calibration),
        np.full(len(PROMPTS), THRESHOLDS.get(model.encoder.space.name, THRESHOLD), np.float32),
        np.full(len(PROMPTS), -1, np.intp),
    )
    runtime.taggers.put(key, labeller)
    return labeller
