"""The drawn pictures of the sample, by name. Each draws itself when called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import scenes
from layouts import SIDE, area_map, bar_chart, board, centred, line_chart, poster
from PIL import Image, ImageDraw

Drawing = Callable[[], Image.Image]


def dog_poster(dog: Image.Image) -> Image.Image:
    """The notice on every lamp post of Ostley, with the dog's own photograph."""
    image = poster(("LOST DOG", "", "", "", "BISCUIT - red collar"), "white", "#b3261e", "#b3261e")
    photo = dog.copy()
    photo.thumbnail((320, 260))
    image.paste(photo, ((SIDE - photo.width) // 2, 260))
    return image


def _captioned(top: str, bottom: str) -> Image.Image:
    image = Image.new("RGB", (SIDE, 480), "#5d6b73")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 330, SIDE, 480), fill="#3a3f44")
    for x in (0, 60):
        pen.line((120 + x * 5, 480, 300 + x, 330), fill="#b9b9b9", width=8)
    for y in range(345, 480, 26):
        pen.line((120, y, 520, y), fill="#6b5236", width=9)
    centred(pen, 60, top, 56, "white")
    centred(pen, 290, bottom, 56, "white")
    return image


_OPENING = "r2q1rk1/pp2bppp/2n2n2/3p4/3P1n2/2NB1NP1/PP3PKP/R1BQ3R"
_MATE = "6k1/5ppp/8/8/5P2/6q1/P5PP/5n1K"
_LATE = "#8a3ffc"
_CANCELLED = [
    (f"{hour:02}:{minute:02}", town, "CANCELLED")
    for hour, minute, town in (
        (7, 2, "Ostley"),
        (7, 14, "Port Lorne"),
        (7, 31, "Valmera"),
        (7, 48, "Kerrow Bay"),
        (8, 5, "Highmoor"),
    )
]
_ELEVEN = [
    ("1 Brandao", "4 Ruiz"),
    ("2 Sato", "5 Velic"),
    ("6 Mbeki", "8 Lund"),
    ("10 Arias", "7 Costa"),
    ("9 Perrin", "11 Diallo"),
]
_TABLE = [("Sorel", "6.5"), ("Okafor", "6.0"), ("Lindt", "5.5"), ("Haddad", "5.0"), ("Zhu", "4.5")]

DRAWINGS: Mapping[str, tuple[str, Drawing]] = {
    "marathon-poster": (
        "poster",
        partial(
            poster,
            ("VALMERA 42K", "City marathon", "15 March, 7:15", "Old Town Square"),
            "#f6c445",
            "#15324b",
            "#15324b",
        ),
    ),
    "marathon-map": ("map", partial(area_map, "Valmera marathon: the course", "#e0312d", 42, True)),
    "marathon-bib": (
        "race number",
        partial(poster, ("4471", "VALMERA 2026", "wave: orange"), "white", "#111111", "#f2801d"),
    ),
    "marathon-chart": (
        "chart",
        partial(
            line_chart,
            "minutes per km",
            (5.1, 5.0, 5.1, 5.2, 5.1, 5.3, 5.4, 6.9, 7.4, 6.3, 6.6, 7.0, 5.9),
            "#d6336c",
        ),
    ),
    "marathon-medal": ("medal", scenes.medal),
    "volcano-eruption": ("volcano", partial(scenes.volcano, night=False)),
    "volcano-night": ("volcano", partial(scenes.volcano, night=True)),
    "volcano-ashmap": ("map", partial(area_map, "Ash forecast, 24 h", "#8d8d8d", 12)),
    "derby-score": (
        "scoreboard",
        partial(
            board,
            "FULL TIME",
            [("RIBERA", "3"), ("Okoro 7' 90+5'", "Arias 51'"), ("PUERTO", "2"), ("Klein 33'", "Sousa 60'")],
        ),
    ),
    "derby-lineup": ("line-up", partial(board, "Ribera, predicted XI", _ELEVEN, "#7fd1ff")),
    "football": ("soccer ball", scenes.football),
    "phone-front": ("phone", partial(scenes.phones, ("#5c6f68",), "NOVA X2")),
    "phone-colours": ("phone", partial(scenes.phones, ("#41644a", "#d8c3a5", "#2f4858", "#c8553d"), "")),
    "phone-battery-chart": (
        "chart",
        partial(
            line_chart,
            "Nova X2: battery %, 31 hours",
            (100, 97, 93, 88, 80, 71, 66, 58, 49, 40, 31, 22, 12, 3),
            "#2b8a3e",
        ),
    ),
    "phone-error": (
        "error message",
        partial(
            poster,
            ("NVX2-118", "Fingerprint reader", "not available", "Enter PIN"),
            "#101418",
            "#ff6b6b",
            "#2a2f36",
        ),
    ),
    "departures-board": ("departures board", partial(board, "DEPARTURES", _CANCELLED)),
    "strike-poster": (
        "poster",
        partial(
            poster,
            ("STRIKE", "17 + 18 March", "Two free weekends", "a month!"),
            "#c92a2a",
            "white",
            "#111111",
        ),
    ),
    "strike-meme": ("meme", partial(_captioned, "MY TRAIN IN FIVE MINUTES", "ALSO MY TRAIN ON THURSDAY")),
    "loaf": ("bread", scenes.loaf),
    "reef-chart": (
        "chart",
        partial(line_chart, "fish per dive since October", (11, 14, 13, 19, 24, 22, 31, 38, 44, 57), "#1098ad"),
    ),
    "blackout-map": ("map", partial(area_map, "Port Lorne: no power", "#e03131", 18)),
    "candle": ("candle", scenes.candle),
    "debate-poster": (
        "poster",
        partial(
            poster,
            ("DEBATE", "Adeyemi / Brandt", "Costa / Novak", "Thursday 19:30"),
            "#1c3d5a",
            "white",
            "#e8590c",
        ),
    ),
    "poll-chart": (
        "chart",
        partial(
            bar_chart,
            "Mayor of Valmera, poll",
            (("Adeyemi", 31), ("Brandt", 29), ("Costa", 22), ("Novak", 7)),
            "#4263eb",
        ),
    ),
    "poll-chart-late": (
        "chart",
        partial(
            bar_chart,
            "Poll after the debate",
            (("Adeyemi", 36), ("Brandt", 27), ("Costa", 19), ("Novak", 8)),
            "#4263eb",
        ),
    ),
    "tour-poster": (
        "poster",
        partial(
            poster,
            ("PAPER LANTERNS", "Eleven cities tour", "Spring 2026", "doors 19:30"),
            "#22133a",
            "#ffd8a8",
            _LATE,
        ),
    ),
    "giftcard-a": (
        "gift card",
        partial(poster, ("$500", "FREE GIFT CARD", "CLAIM NOW"), "#ffe066", "#c2255c", "#c2255c"),
    ),
    "giftcard-b": (
        "gift card",
        partial(poster, ("$500", "FREE GIFT CARD", "ONLY 37 LEFT"), "#ffe066", "#c2255c", "#862e9c"),
    ),
    "giftcard-c": (
        "gift card",
        partial(poster, ("FREE $500", "GIFT CARD", "tap to claim"), "#69db7c", "#1b4332", "#1b4332"),
    ),
    "recall-notice": (
        "notice",
        partial(
            poster,
            ("RECALL", "Kerrow Bay salad", "batch KB-2041", "do not eat"),
            "white",
            "#c92a2a",
            "#c92a2a",
        ),
    ),
    "recall-label": (
        "label",
        partial(poster, ("KB-2014", "Mixed leaves 200 g", "best before 19 MAR"), "#d8f5a2", "#2b3a12", "#2f9e44"),
    ),
    "meteor-sky": ("meteor", scenes.meteor),
    "meteor-chart": (
        "chart",
        partial(line_chart, "meteors per hour, Friday night", (4, 6, 9, 14, 20, 21, 18, 12, 7), _LATE),
    ),
    "wanted-poster": (
        "poster",
        partial(
            poster,
            ("WANTED", "two on e-scooters", "grey rucksack", "Halden police"),
            "#f1e3c4",
            "#3b2a14",
            "#3b2a14",
        ),
    ),
    "tomato": ("tomato", scenes.tomato_plant),
    "terminal": (
        "screen",
        partial(
            board,
            "$ make demo",
            [("build", "ok"), ("tests", "212 passed"), ("why", "nobody knows")],
            "#69db7c",
        ),
    ),
    "hack-poster": (
        "poster",
        partial(
            poster,
            ("HARBOURHACK", "36 hours, 40 teams", "7-8 March", "free coffee"),
            "#0b7285",
            "white",
            "#ffd43b",
        ),
    ),
    "storm-map": ("map", partial(area_map, "Storm Ilse: red warning", "#e8590c", 77)),
    "wind-chart": (
        "chart",
        partial(
            line_chart,
            "gusts, km/h, until it flew away",
            (32, 41, 48, 63, 70, 88, 97, 109, 118, 131),
            "#495057",
        ),
    ),
    "chess-board": ("chess board", partial(scenes.chess, _OPENING)),
    "chess-mate": ("chess board", partial(scenes.chess, _MATE)),
    "chess-table": ("table", partial(board, "VALMERA MASTERS", _TABLE, "#b2f2bb")),
}
"""Name -> what it shows, and how to draw it."""
