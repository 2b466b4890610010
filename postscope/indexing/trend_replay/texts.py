"""Texts of events and of everyday talk, put together from parts (``texts.json``) that were written for this project."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Parts:
    """What texts are made of: openings name the matter, details are what people add."""

    events: dict[str, dict[str, list[str]]]
    talk: dict[str, dict[str, list[str]]]
    things: list[str]
    places: list[str]
    asides: list[str]

    @classmethod
    def read(cls) -> Parts:
        """Those of the package."""
        found: dict[str, Any] = json.loads((files(__package__) / "texts.json").read_text(encoding="utf-8"))
        return cls(**found)

    def event(self, number: int, count: int, random: np.random.Generator) -> list[str]:
        """Texts of one event: the same kind, place and thing, told by ``count`` people."""
        kinds = sorted(self.events)
        place = self.places[(number // len(kinds) + 5 * number) % len(self.places)]
        thing = self.things[(7 * number + number // 11) % len(self.things)]
        return [self._told(self.events[kinds[number % len(kinds)]], place, thing, random) for _ in range(count)]

    def everyday(self, theme: str, count: int, random: np.random.Generator) -> list[str]:
        """Texts of one theme of ``talk``."""
        return [
            self._told(self.talk[theme], str(random.choice(self.places)), str(random.choice(self.things)), random)
            for _ in range(count)
        ]

    def _told(self, matter: dict[str, list[str]], place: str, thing: str, random: np.random.Generator) -> str:
        opening = str(random.choice(matter["openings"])).format(place=place, thing=thing)
        parts = [opening, *map(str, random.choice(matter["details"], 2, replace=False))]
        random.shuffle(parts)
        kept = parts[: random.integers(2, 4)]
        aside = str(random.choice(self.asides))
        return ", ".join([*kept, aside] if aside else kept)
