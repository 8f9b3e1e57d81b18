"""What a request of any kind of run is, and what all kinds need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.judge.folder import judge_folder
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.place_names import check_device_name
from dreamfusion_engine.models.adapters.fit import check_asked
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts, locate_model, model_facts
from dreamfusion_engine.models.prompt_check import check_length, check_prompts
from dreamfusion_engine.models.views import VIEWS
from dreamfusion_engine.request.output import check_output, disk_needed, folder_name, output_folder
from dreamfusion_engine.request.settings import settings_for
from dreamfusion_engine.request.stages import check_method
from dreamfusion_engine.request.told import SOMETHING, check_picture, check_pose, check_words, is_blank

if TYPE_CHECKING:
    from dreamfusion_engine.pictures.prepare import CutOut


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run: what decides its result, the folder it writes, and whether it goes on from that folder's checkpoint."""

    config: GenerateConfig
    output: Path
    resume: bool
    paint: PaintConfig | None = None  # of a run that paints meshes
    mesh: bytes = b""  # a binary glTF: the meshes to paint or to refine, or the blockout to begin from
    seeds: SeedRange | None = None  # of a contest; the config's seed is the first of them
    pictures: tuple[CutOut, ...] = ()  # the object, cut out of given pictures

    @property
    def size(self) -> int:
        """Bytes of the meshes and pictures that it holds."""
        return len(self.mesh) + sum(len(each.png) for each in self.pictures)

    def emptied(self) -> Request:
        """Return it without its meshes and pictures, which can be large."""
        return replace(self, mesh=b"", pictures=())


def checked_run(
    prompt: str,
    preset_name: str,
    settings: Mapping[str, Any] | None,
    output: Path | None,
    output_root: Path,
    resume: bool,
    *,
    task: str = "generate",
    pictures: int = 0,
    named: str = "",
) -> Request:
    """Return what a run of any kind needs: everything is looked at but whether its folder is free.

    prompt: str, the artist's words.
    preset_name: str.
    settings: nested by stage, over the preset.
    output: Path, the run's folder; None: output_root/<prompt>-<seed>.
    output_root: Path.
    resume: bool, whether to continue from the folder's checkpoint.
    task: str, of `request.stages.UNUSED`.
    pictures: int, how many pictures of the object the run has.
    named: str, what the folder is named after without a prompt.
    Raises InputError or SetupError for every bad prompt, word, setting, device name, model, adapter or folder.
    """
    check_encodable(prompt, "prompt")
    # What is wrong with any model is said before one is looked for; whether it needs words is not known yet.
    config = preset(preset_name, SOMETHING if is_blank(prompt) else prompt, settings)
    check_encodable(config.negative, "negative prompt")
    for view in VIEWS:
        check_encodable(getattr(config.prompts, view), f"prompt of the {view} view")
    check_device_name(config.device)
    facts = model_facts(config.model, config.base)
    check_words(prompt, FAMILIES[facts.family], pictures)
    config = prompted(prompt, preset_name, settings, facts)
    check_picture(FAMILIES[facts.family], pictures, task)
    check_pose(facts, config, settings)
    check_method(config, task)
    check_asked(config)
    judge_folder(config.judge, config.model)
    cache_folder()
    if config.memory.tiny_vae:
        locate_model(config.memory.tiny_vae)
    folder = output if output is not None else output_root / folder_name(config.prompt or named, config.seed)
    folder = output_folder(folder)
    check_output(folder, disk_needed(config))
    return Request(config=config, output=folder, resume=resume)


def prompted(prompt: str, preset_name: str, settings: Mapping[str, Any] | None, facts: ModelFacts) -> GenerateConfig:
    """Return the settings of a run with a model that is known; only the prompt is looked at, which takes a millisecond.

    prompt, preset_name, settings: as for `checked_run`.
    facts: ModelFacts of the model.
    Raises InputError for a prompt that the model cannot have.
    """
    check_encodable(prompt, "prompt")
    config = settings_for(facts, preset_name, prompt, settings).config
    if FAMILIES[facts.family].reads_words:
        check_length(config, FAMILIES[facts.family])
        check_prompts(config, facts.card)
    return config


def check_encodable(text: str, name: str) -> None:
    """Raise InputError for text that is no text: bytes that the terminal could not decode, halves of characters.

    text: str.
    name: str, what the text is, for people.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            "input.prompt_control",
            what=f"The {name} is not readable text.",
            why="It holds bytes that are not UTF-8.",
            fix="Type the words again, or paste them as plain text.",
        ) from None
