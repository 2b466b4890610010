"""How the figures of a report came about, and what they do not tell."""

from __future__ import annotations

from postscope.backend.trends.report.content import Report
from postscope.backend.trends.report.drawing import FEW_SCORED
from postscope.indexing.buckets import zone_of
from postscope.indexing.growth import ENOUGH_HOURS, ENOUGH_POSTS, NEW_POSTS


def caveats(report: Report) -> list[str]:
    """One line each, the most pressing first."""
    return [*_history(report), *_shares(report), *_METHOD]


_METHOD = (
    f"A topic emerges with fewer than {NEW_POSTS} posts in its history; it grows or fades with more. Expected is what "
    "its share of the stream, with its rhythm of day and week, would give in this window; 95 of 100 windows would lie "
    "in the range beside it.",
    "q is the share of false ones that has to be accepted among all topics that look as surprising (Benjamini "
    "and Hochberg); significant means at most 0.05. It tells how surprising the count is, not why it came, nor how "
    "important it is.",
    "Topics are clusters of like posts as the last discovery found them; posts that came since were put to the "
    "nearest. Names are made of words that several of their authors use, unless a person gave one; a name in quotation "
    "marks is a post of a topic whose posts share no word.",
    "Counts are of posts, near-copies too. Reach is the sum of views, engagement that of likes, comments and shares, "
    "as last reported with each post; posts with which nothing was reported count as none.",
    "An alert's observed leaves out near-copies and further posts of one author; where only these make the burst, its "
    "marks say so. Alerts are of the whole stream: filters of the report do not apply to them, nor to the map.",
    "Sentiment is said by a machine from the words alone; irony and quoted speech mislead it. Posts without words are "
    f"not scored. Bars are pale where fewer than {FEW_SCORED} posts were.",
    "Links ask the service, which wants a key; the posts that they list are those of now.",
)


def _history(report: Report) -> list[str]:
    ranking = next(iter(report.rankings.values()))
    began = f"{ranking.history_since.astimezone(zone_of(report.asked.tz)):%Y-%m-%d %H:%M}"
    if ranking.enough_history:
        days = (ranking.since - ranking.history_since).total_seconds() / 86_400
        return [f"The history that the window is compared with begins {began}: {days:.1f} days."]
    return [
        f"The history is too short: before the window there are fewer than {ENOUGH_POSTS} posts or less "
        f"than {ENOUGH_HOURS} hours of the stream since {began}. Nothing can be called new, "
        "growing or fading with any confidence; counts are shown as they are."
    ]


def _shares(report: Report) -> list[str]:
    known, posts = report.members, report.timeline.total.posts
    lines = []
    if known.posts:
        lines.append(
            f"{known.outliers:,} of {known.posts:,} posts ({known.outliers / known.posts:.0%}) are in no topic; they "
            "are in the counts of all posts and of no topic."
        )
    if known.posts < posts:
        lines.append(f"{posts - known.posts:,} posts of the window were not looked at for topics yet.")
    return lines
