"""A recipe: the settings that one family of teachers needs, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = tuple[Any, str]  # a setting's value and where it comes from
Settings = Mapping[str, Value]  # by dotted name


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one family of teachers.

    title: str, name for people.
    family: str, its pipeline class.
    experimental: bool, whether no public recipe makes objects with it reliably.
    settings: of every preset.
    presets: of one preset.
    scores: of one `guidance.score`, over both.
    words: bool, whether the prompt must say what the object is; else a picture does, and the prompt may be empty.
    """

    title: str
    family: str
    experimental: bool = False
    settings: Settings = field(default_factory=dict)
    presets: Mapping[str, Settings] = field(default_factory=dict)
    scores: Mapping[str, Settings] = field(default_factory=dict)
    words: bool = True

    def values(self, preset: str, score: str) -> dict[str, Value]:
        """Return every setting that the recipe gives with a preset and a score.

        preset: str, such as 'draft'.
        score: str, such as 'sds'.
        """
        return {**self.settings, **self.presets.get(preset, {}), **self.scores.get(score, {})}
