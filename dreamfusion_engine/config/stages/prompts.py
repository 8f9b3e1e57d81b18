"""The stage `prompts`: prompts by hand for single views."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.prompt_text import checked_prompt
from dreamfusion_engine.config.setting import Stage, declared, setting


@dataclass(frozen=True, kw_only=True)
class PromptsConfig(Stage, stage="prompts"):
    """Prompts written by hand for single views, in place of the automatic ones; `{}` stands for the prompt."""

    front: str = setting("", says="Prompt of the front view; empty: the prompt with the model's own words for the view")
    side: str = setting("", says="Prompt of the side views")
    back: str = setting("", says='Prompt of the back view, such as "the back of {}" or "a car seen from behind"')
    overhead: str = setting("", says="Prompt of the view from above")

    def check_together(self) -> None:
        """Clean the texts."""
        for name in declared(type(self)):
            text = checked_prompt(getattr(self, name), f"prompt of the {name} view", empty_ok=True)
            object.__setattr__(self, name, text)
