"""A filter as conditions of SQL. Every value is bound, never written into the statement."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, FromClause, Text, and_, exists, func, literal, or_, select, union
from sqlalchemy.orm import Session, aliased

from postscope.backend.errors import NotFound
from postscope.backend.post_schema import author_hash
from postscope.backend.tables import Post, PostSentiment, PostTag, Topic, TopicMember, spoken_language
from postscope.backend.tagging.names import look_up
from postscope.backend.topics import telling
from postscope.backend.trends.requests import Mood, PostFilter
from postscope.indexing.tokens import folded

# A hashtag in a text: no fragment of an address and no entity. Beside letters and digits, marks are part of one.
_BEFORE = r"(?<![\w&/])[#＃﹟]"
_OF_A_TAG = (
    r"\w\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e"
    r"\u200c\u200d"
)
_PARTS = re.compile(r'"([^"]+)"|(\S+)')
_SPACED = re.compile(r"^[\w\s'’-]+$")
# Scripts that write no spaces between words: a word is found wherever it stands.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def conditions(session: Session, asked: PostFilter, author_key: bytes) -> list[ColumnElement[bool]]:
    """All that must hold, but for the window.

    Raises:
        NotFound: there is no such topic.
        Invalid: there is no such label.
    """
    found: list[ColumnElement[bool]] = []
    if asked.source:
        found.append(Post.source.in_(asked.source))
    if asked.language:
        found.append(spoken_language().in_(asked.language))
    if asked.tag:
        found.append(or_(*map(_tagged, asked.tag)))
    if asked.label:
        named = look_up(session, {f"label.{n}": name for n, name in enumerate(asked.label)})
        ids = [label.label_id for label in named.values()]
        said = aliased(PostTag)  # the statement around may count by what it joins
        found.append(exists(select(literal(1)).where(said.post_id == Post.id, said.label_id.in_(ids))))
    if asked.author:
        found.append(Post.author_hash == author_hash(author_key, asked.author))
    if asked.author_hash:
        found.append(Post.author_hash == asked.author_hash)
    if asked.q:
        found += [_says(phrase or word) for phrase, word in _PARTS.findall(asked.q)]
    if asked.topic_id:
        found.append(in_topic(session, resolve(session, asked.topic_id)))
    if asked.outlier is not None:
        member = aliased(TopicMember)
        nowhere = member.topic_id.is_(None) if asked.outlier else member.topic_id.is_not(None)
        found.append(exists(select(literal(1)).where(member.post_id == Post.id, nowhere)))
    if asked.mood:
        found.append(exists(select(literal(1)).where(PostSentiment.post_id == Post.id, sounds(asked.mood))))
    return found


def within(since: datetime, to: datetime) -> ColumnElement[bool]:
    """``since <= created_at < to``."""
    return and_(Post.created_at >= since, Post.created_at < to)


def resolve(session: Session, topic_id: UUID) -> Topic:
    """The topic, or what it was merged into.

    Raises:
        NotFound: there is no such topic.
    """
    topic = telling.resolve(session, topic_id)
    if topic is None:
        raise NotFound(f"there is no topic {topic_id}")
    return topic


def in_topic(session: Session, topic: Topic) -> ColumnElement[bool]:
    """Posts of a topic; of a theme, those of its topics; of a sub-topic, those that are in it."""
    member = aliased(TopicMember)
    of = member.topic_id == topic.id
    if topic.layer == "subtopic":
        of = member.subtopic_id == topic.id
    elif topic.layer == "theme":
        below = session.scalars(select(Topic.id).where(Topic.parent_id == topic.id)).all()
        of = member.topic_id.in_([topic.id, *below])
    return exists(select(literal(1)).where(member.post_id == Post.id, of))


def sounds(mood: Mood) -> ColumnElement[bool]:
    """Which mood a scored post has most of; of equals the calmer one."""
    s = PostSentiment
    if mood == "neutral":
        return s.neutral >= func.greatest(s.negative, s.positive)
    if mood == "negative":
        return and_(s.negative > s.neutral, s.negative >= s.positive)
    return and_(s.positive > s.neutral, s.positive > s.negative)


def _tagged(tag: str) -> ColumnElement[bool]:
    bare = tag.removeprefix("#")
    forms = {tag.lower(), tag.casefold()}
    if bare:
        forms |= {bare.lower(), bare.casefold(), folded(bare), f"#{bare.lower()}"}
    given = func.unnest(Post.tags).column_valued("given")
    in_tags = exists(select(literal(1)).where(func.lower(given).in_(sorted(forms))))
    return or_(in_tags, Post.text.op("~*")(_BEFORE + _escaped(bare) + f"(?![{_OF_A_TAG}])")) if bare else in_tags


def tags_of_posts() -> FromClause:
    """Every tag of each post, those that were given and the hashtags of its text, once each: column ``tag``, without
    case and sign. ``tag=`` of a filter finds the same posts."""
    given = func.regexp_replace(func.lower(func.unnest(Post.tags)), "^#(?=.)", "")
    written = func.regexp_matches(Post.text, f"{_BEFORE}(?=[_0-9]*[[:alpha:]])([{_OF_A_TAG}]+)", "g", type_=ARRAY(Text))
    each = (select(given.label("tag")), select(func.lower(written[1]).label("tag")))
    return union(*(one.correlate(Post) for one in each)).lateral("given")


def _says(word: str) -> ColumnElement[bool]:
    if _SPACED.match(word) and not _UNSPACED.search(word):
        return Post.text.op("~*")(r"\m" + _escaped(word) + r"\M")
    return Post.text.icontains(word, autoescape=True)


def _escaped(word: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", word)
