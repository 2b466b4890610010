"""The report as HTML: one file, no script, nothing fetched, everything that people wrote escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from importlib import resources
from typing import Final
from urllib.parse import urlencode, urlsplit

from postscope.backend.trends.ranking import SURE, Rank, Ranking, Trend
from postscope.backend.trends.report import drawing
from postscope.backend.trends.report.content import RANKS, Report, ShownAlert, TopicStory
from postscope.backend.trends.report.method import caveats
from postscope.backend.trends.timelines import Figures, Timeline
from postscope.indexing.buckets import zone_of

POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri {base}; form-action 'none'"
"""Content security policy: no script runs, whatever a text says."""
TITLES: Final[dict[Rank, str]] = {"emerging": "What emerged", "growing": "What grew", "fading": "What faded"}
NOTHING: Final[dict[Rank, str]] = {
    "emerging": "No topic is new in this window.",
    "growing": "No topic has more posts than its history lets expect.",
    "fading": "No topic has fewer posts than its history lets expect.",
}
_TEXT = 320
_PARTS = 4
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def report_page(report: Report, *, base: str | None = None) -> str:
    """The page.

    Args:
        report: what it tells.
        base: address of the service, such as ``http://127.0.0.1:8765``, for the links of a page that is kept as a
            file; None where the service itself answers with it.
    """
    since, to = report.timeline.buckets.edges[0], report.timeline.buckets.edges[-1]
    zone = zone_of(report.asked.tz)
    # The last day is that of the last moment: a window that ends at midnight does not have the day that begins there.
    days = since.astimezone(zone).date(), (to - timedelta(microseconds=1)).astimezone(zone).date()
    title = f"Trend report, {days[0]}" + (f" to {days[1]}" if days[1] != days[0] else "")
    body = [
        _head(report, title),
        _overview(report),
        *(_ranked(report, rank) for rank in RANKS),
        _alerts(report),
        _map(report),
        _sentiment(report),
        "<section><h2>Method and caveats</h2><ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in caveats(report))
        + "</ul></section>",
    ]
    style = (resources.files("postscope.backend.trends.report") / "report.css").read_text("utf-8")
    based = f'<base href="{escape(base.rstrip("/"))}/">' if base else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(base)}">{based}'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{style}</style>'
        f"</head><body>{''.join(body)}</body></html>"
    )


def policy(base: str | None = None) -> str:
    """The policy that the page carries, and that it is served with."""
    return POLICY.format(base=escape(base.rstrip("/")) if base else "'none'")


def _head(report: Report, title: str) -> str:
    said = report.asked.model_dump(exclude_defaults=True, exclude_none=True, exclude={"since", "to", "limit", "tz"})
    filters = "; ".join(
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in said.items()
    )
    return (
        f"<header><h1>{escape(title)}</h1><p>{_time(report.timeline.buckets.edges[0], report)} to "
        f"{_time(report.timeline.buckets.edges[-1], report)}, {escape(report.asked.tz)}. "
        f"{_words(filters) + '. ' if filters else 'All posts. '}Made {_time(report.made_at, report)}.</p></header>"
    )


def _overview(report: Report) -> str:
    timeline = report.timeline
    before = timeline.comparison
    tiles = "".join(
        f"<div><b>{value}</b><span>{name}</span></div>" for name, value in _tiles(timeline.total, report).items()
    )
    change = "<p>The window before had no posts.</p>"
    if before is not None and before.total.posts:
        times = timeline.total.posts / before.total.posts
        earlier = _link(report.asked.url(since=before.edges[0], to=before.edges[-1]), f"{before.total.posts:,} posts")
        change = f"<p>The window before had {earlier} (the dashed line): now {times:.2f} times.</p>"
    picture = drawing.bars(
        [one.posts for one in timeline.figures],
        timeline.buckets.edges,
        zone_of(report.asked.tz),
        before=_before(timeline),
        label=f"posts in {timeline.size}",
    )
    link = _link(report.asked.url(), "the posts")
    if not timeline.total.posts:
        picture, link = '<p class="note">There are no posts in this window.</p>', ""
    return f'<section><h2>In all</h2><div class="tiles">{tiles}</div>{picture}{change}<p>{link}</p></section>'


def _tiles(total: Figures, report: Report) -> dict[str, str]:
    known = report.members
    outliers = f"{known.outliers / known.posts:.0%}" if known.posts else "-"
    return {
        "posts": f"{total.posts:,}",
        "authors": f"{total.authors:,}",
        "reach (views)": f"{total.reach:,.0f}" if total.reach else "none reported",
        "engagement": f"{total.engagement:,.0f}" if total.engagement else "none reported",
        "in no topic": _link(report.asked.url(outlier=True), outliers) if known.outliers else outliers,
    }


def _ranked(report: Report, rank: Rank) -> str:
    ranking = report.rankings[rank]
    stories = [story for story in report.stories if story.rank == rank]
    if not stories:
        return f"<section><h2>{TITLES[rank]}</h2><p>{NOTHING[rank]}</p></section>"
    note = ""
    if not ranking.enough_history:
        note = (
            '<p class="note">The history before the window is too short to tell what was to be expected: the largest '
            "come first, counts are shown, and nothing is called significant.</p>"
        )
    rows = "".join(_row(story, ranking) for story in stories)
    table = (
        '<div class="wide"><table><tr><th>topic</th>'
        "<th>posts</th><th>expected</th><th>95 of 100 cases</th><th>ratio</th>"
        f"<th>q</th><th></th></tr>{rows}</table></div>"
        f"<p>{_link(_trends(report, rank), 'The same as numbers, with probabilities')}</p>"
    )
    told = "".join(_story(story, report) for story in stories)
    return f"<section><h2>{TITLES[rank]}</h2>{note}{table}{told}</section>"


def _row(story: TopicStory, ranking: Ranking) -> str:
    trend = story.trend
    count = _link(story.asked.url(), f"{trend.observed:,}")
    if not ranking.enough_history:
        return (
            f"<tr><td>{_words(trend.name)}</td><td>{count}</td><td>-</td><td>-</td><td>-</td><td>-</td><td></td></tr>"
        )
    low, high = trend.prediction.interval()
    return (
        f"<tr><td>{_words(trend.name)}</td><td>{count}</td><td>{trend.prediction.mean:.1f}</td><td>{low} to {high}</td>"
        f"<td>{trend.ratio:.1f}</td><td>{_small(trend.q)}</td><td>{_verdict(trend)}</td></tr>"
    )


def _verdict(trend: Trend) -> str:
    return "significant" if trend.q <= SURE else "may be chance"


def _story(story: TopicStory, report: Report) -> str:
    timeline = story.timeline
    before = _before(timeline)
    picture = drawing.bars(
        [one.posts for one in timeline.figures],
        timeline.buckets.edges,
        zone_of(report.asked.tz),
        before=before,
        width=620,
        height=96,
        label=f"posts in {timeline.size}",
    )
    if not timeline.total.posts and not before:
        picture = ""
    posts = "".join(
        f"<blockquote><p>{_words(_cut(post.text) or '(no words)')}</p><footer>{_words(post.source)}, "
        f"{_link(f'/v1/posts/{post.id}', _time(post.created_at, report))}</footer></blockquote>"
        for post in story.posts
    )
    mix = _mix(timeline.total) if timeline.total.posts else '<p class="mix">No posts in this window; earlier ones:</p>'
    words = f'<p class="words">{_words(", ".join(story.keywords))}</p>' if story.keywords else ""
    return (
        f'<article><h3><a href="/v1/topics/{story.trend.key}">{_words(story.trend.name)}</a></h3>'
        f"{words}{picture}{mix}{_pictures(story)}{posts}</article>"
    )


def _pictures(story: TopicStory) -> str:
    shown = "".join(
        f'<a href="/v1/posts/{one.post_id}"><img src="{one.data}" width="{one.width}" height="{one.height}" '
        'alt="picture of a post"></a>'
        for one in story.pictures
    )
    return f'<div class="pictures">{shown}</div>' if shown else ""


def _trends(report: Report, rank: Rank) -> str:
    """Where a list is as numbers."""
    posts = urlsplit(report.asked.url()).query
    return f"/v1/trends?{urlencode({'rank': rank, 'tz': report.asked.tz, 'limit': report.asked.limit})}&{posts}"


def _before(timeline: Timeline) -> Sequence[int]:
    """Posts of the compared buckets; none where that period had none."""
    other = timeline.comparison
    return [one.posts for one in other.figures] if other is not None and other.total.posts else ()


def _mix(total: Figures) -> str:
    said = "; ".join(f"{name}: {', '.join(_largest(mix))}" for name, mix in total.mixes.items() if mix)
    authors = "1 author" if total.authors == 1 else f"{total.authors:,} authors"
    return f'<p class="mix">{authors}. {_words(said)}</p>'


def _largest(mix: Mapping[str, int]) -> list[str]:
    """The largest parts, and what is left."""
    ordered = sorted(mix.items(), key=lambda one: (-one[1], one[0]))
    shown, rest = ordered[:_PARTS], ordered[_PARTS:]
    others = [f"others {sum(count for _, count in rest):,}"] if rest else []
    return [f"{value} {count:,}" for value, count in shown] + others


def _alerts(report: Report) -> str:
    if not report.alerts:
        return "<section><h2>Alerts</h2><p>None was raised for this window.</p></section>"
    rows = "".join(_alert(one, report) for one in report.alerts)
    more = f"<p>{report.more_alerts} more are at /v1/alerts.</p>" if report.more_alerts else ""
    return (
        '<section><h2>Alerts</h2><div class="wide"><table><tr>'
        "<th>what</th><th>kind</th><th>from</th><th>observed</th><th>expected</th>"
        f"<th>posts, authors</th><th>state</th><th>marks</th></tr>{rows}</table></div>{more}</section>"
    )


def _alert(shown: ShownAlert, report: Report) -> str:
    one = shown.alert
    marks = ", ".join(one.marks).replace("_", " ")
    return (
        f"<tr><td>{_words(shown.name)}</td><td>{escape(one.kind)}</td><td>{_time(one.since, report)}</td>"
        f"<td>{_link(f'/v1/alerts/{one.id}', str(one.observed))}</td>"
        f"<td>{one.expected:.1f} ({one.low} to {one.high})</td><td>{one.posts}, {one.authors}</td>"
        f"<td>{escape(one.state)}</td><td>{escape(marks)}</td></tr>"
    )


def _map(report: Report) -> str:
    picture = drawing.dots(report.map)
    if not picture:
        return "<section><h2>Map</h2><p>No discovery has placed the posts of this window yet.</p></section>"
    shown = len(report.map.points)
    sample = f", a sample of {report.map.total:,}" if shown < report.map.total else ""
    since, to = report.timeline.buckets.edges[0], report.timeline.buckets.edges[-1]
    address = f"/v1/topics/map?format=html&from={since:%Y-%m-%dT%H:%M:%SZ}&to={to:%Y-%m-%dT%H:%M:%SZ}"
    return (
        f"<section><h2>Map</h2>{picture}<p>{shown:,} posts of the window{sample}, whatever their source; those that "
        f"lie near one another are alike; grey ones are in no topic. "
        f"{_link(address, 'The interactive map')}</p></section>"
    )


def _sentiment(report: Report) -> str:
    mixes: Sequence[dict[str, int]] = [one.mixes["sentiment"] for one in report.timeline.figures]
    total = report.timeline.total.mixes["sentiment"]
    scored = sum(total.get(mood, 0) for mood in drawing.MOODS)
    if not scored:
        return "<section><h2>Sentiment</h2><p>No post of this window was scored.</p></section>"
    shares = ", ".join(f"{mood} {total.get(mood, 0) / scored:.0%}" for mood in drawing.MOODS)
    legend = "".join(
        f'<svg class="key" viewBox="0 0 10 10"><rect width="10" height="10" fill="{colour}"/></svg> {mood} '
        for mood, colour in drawing.MOODS.items()
    )
    picture = drawing.moods(
        mixes,
        report.timeline.buckets.edges,
        zone_of(report.asked.tz),
        label="shares of the moods over time",
    )
    return (
        f"<section><h2>Sentiment</h2>{picture}<p>{legend}</p><p>{scored:,} of {report.timeline.total.posts:,} posts "
        f"were scored: {shares}.</p></section>"
    )


def _link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def _words(text: str) -> str:
    """What people wrote: escaped, and its direction of writing kept to itself."""
    return f"<bdi>{escape(_CONTROLS.sub(' ', text))}</bdi>"


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _TEXT else plain[: _TEXT - 1].rstrip() + "…"


def _small(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _time(moment: datetime, report: Report) -> str:
    return f"{moment.astimezone(zone_of(report.asked.tz)):%Y-%m-%d %H:%M}"
