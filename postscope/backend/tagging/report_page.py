"""A calibration report as a page of its own: no script, nothing fetched, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

_SIZE = 260
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;color:#1d2430;background:#fff}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{padding:.25rem .6rem;text-align:right;"
    "border-bottom:1px solid #d9dee6}td:first-child,th:first-child{text-align:left}.why{text-align:left;color:#667}"
    "figure{display:inline-block;margin:0 2rem 1rem 0}figcaption{text-align:center}"
)


def report_page(taxonomy: str, version: int, report: dict[str, Any]) -> str:
    """The page as HTML."""
    quality, calibration = report["weighted_f05"], report["calibration"]
    parts = [
        f"<h1>{escape(taxonomy)}, version {version}</h1>",
        f"<p>{report['posts']} judged posts in {report['groups']} groups of copies, {report['folds']} folds. All "
        "figures are of posts that were not learned from.</p>",
        f"<p>Weighted F0.5: <b>{quality['after']:.3f}</b>, before {quality['before']:.3f}. Expected calibration error: "
        f"<b>{calibration['ece']['after']:.3f}</b>, before {calibration['ece']['before']:.3f}.</p>",
        _diagram("before", calibration["bins"]["before"]),
        _diagram("after", calibration["bins"]["after"]),
        _labels(report["labels"]),
        *(_slice(name, found) for name, found in report["slices"].items()),
    ]
    title = f"{escape(taxonomy)}, version {version}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>"
    )


def _diagram(caption: str, bins: Sequence[dict[str, Any]]) -> str:
    """A reliability diagram: a dot a bin, as large as the bin; on the diagonal what is said is true."""
    most = max((item["pairs"] for item in bins), default=0) or 1
    dots = "".join(
        f'<circle cx="{20 + item["said"] * _SIZE:.1f}" cy="{20 + (1 - item["true"]) * _SIZE:.1f}" '
        f'r="{3 + 9 * (item["pairs"] / most) ** 0.5:.1f}" fill="#2459c3" fill-opacity=".75">'
        f"<title>{item['pairs']} pairs: said {item['said']:.2f}, true {item['true']:.2f}</title></circle>"
        for item in bins
        if item["pairs"]
    )
    side = _SIZE + 40
    return (
        f'<figure><svg width="{side}" height="{side + 14}" role="img" aria-label="reliability {caption}">'
        f'<rect x="20" y="20" width="{_SIZE}" height="{_SIZE}" fill="none" stroke="#9aa4b2"/>'
        f'<line x1="20" y1="{20 + _SIZE}" x2="{20 + _SIZE}" y2="20" stroke="#9aa4b2" stroke-dasharray="4"/>{dots}'
        f'<text x="20" y="{side}" font-size="11">0</text><text x="{_SIZE + 14}" y="{side}" font-size="11">1</text>'
        f'<text x="{20 + _SIZE / 2}" y="{side}" font-size="11" text-anchor="middle">probability that is said</text>'
        f'<text x="4" y="24" font-size="11">1</text></svg><figcaption>{caption}</figcaption></figure>'
    )


def _labels(labels: Sequence[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(item['label'])}</td><td>{item['threshold']:.3f}</td><td>{item['precision']:.2f}</td>"
        f"<td>{item['recall']:.2f}</td><td>{item['f05']:.2f}</td>"
        f"<td>{item['f05_interval'][0]:.2f} to {item['f05_interval'][1]:.2f}</td><td>{item['before']['f05']:.2f}</td>"
        f'<td>{item["support"]}</td><td class="why">{escape(item["reason"] or "fitted")}</td></tr>'
        for item in labels
    )
    return (
        "<table><tr><th>label</th><th>threshold</th><th>precision</th><th>recall</th><th>F0.5</th><th>95%</th>"
        f'<th>before</th><th>posts</th><th class="why">threshold is</th></tr>{rows}</table>'
    )


def _slice(name: str, found: dict[str, dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(value)}</td><td>{item['posts']}</td><td>{item['labels']}</td>"
        f"<td>{item['weighted_f05']:.2f}</td></tr>"
        for value, item in found.items()
    )
    return (
        f"<h2>By {escape(name)}</h2><table><tr><th>{escape(name)}</th><th>posts</th><th>labels</th>"
        f"<th>weighted F0.5</th></tr>{rows}</table>"
    )
