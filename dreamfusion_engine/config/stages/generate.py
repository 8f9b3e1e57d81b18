"""All settings of a run: its own, and those of every stage."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.prompt_text import checked_prompt
from dreamfusion_engine.config.recipes import needs_words
from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.setting import Shown, Stage, require, required, setting
from dreamfusion_engine.config.stages.adapters import AdaptersConfig
from dreamfusion_engine.config.stages.camera import CameraConfig
from dreamfusion_engine.config.stages.clip import ClipConfig
from dreamfusion_engine.config.stages.field import FieldConfig
from dreamfusion_engine.config.stages.guidance import GuidanceConfig
from dreamfusion_engine.config.stages.memory import MemoryConfig
from dreamfusion_engine.config.stages.mesh import MeshConfig
from dreamfusion_engine.config.stages.optimize import OptimizeConfig
from dreamfusion_engine.config.stages.pace import PaceConfig
from dreamfusion_engine.config.stages.prompts import PromptsConfig
from dreamfusion_engine.config.stages.reference import ReferenceConfig
from dreamfusion_engine.config.stages.refine import RefineConfig
from dreamfusion_engine.config.stages.render import RenderConfig
from dreamfusion_engine.config.stages.score import ScoreConfig
from dreamfusion_engine.config.stages.sphere import SphereConfig
from dreamfusion_engine.config.stages.start import StartConfig
from dreamfusion_engine.config.stages.texture import TextureConfig

Method = Literal["field", "clip-mesh"]


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(Stage, stage=""):
    """Everything that decides the result of a run, apart from where its files go."""

    prompt: str = dataclasses.field(
        metadata=required(
            says="What the object is, in a few words; may be empty with a picture for a model that is told one"
        )
    )
    negative: str = setting("", says="What the object should not look like")
    seed: int = setting(
        0,
        low=0,
        high=2**31 - 1,
        says="Start of the random numbers",
        shown=Shown(
            label="Seed",
            says="Start of the random numbers. The same seed gives the same object, another seed another shape",
        ),
    )
    model: str = setting("starter", says="'starter', a folder, a hub id, or a single .safetensors file")
    method: Method = setting(
        "field",
        says="What the teacher makes an object of: 'field', of which a mesh is cut, or 'clip-mesh', a sphere's surface",
        shown=Shown(
            label="Method",
            says="What the CLIP makes an object of",
            words={
                "field": ("Dream Fields", "A field, of which a mesh is cut. It may have any number of parts and holes"),
                "clip-mesh": ("CLIP-Mesh", "A sphere, which is bent and painted. One smooth closed surface"),
            },
        ),
    )
    base: str = setting(
        "",
        says="Folder or hub id that gives a single file its configs and the parts it lacks; empty: the catalogue's",
    )
    device: str = setting(
        "auto", says="A kind ('cpu', 'cuda:1', 'mps', 'xpu'), a card's name, or 'teacher=...,field=...'"
    )
    judge: str = setting(
        "auto",
        says="Who grades the result: 'auto' is the built-in judge, of what the starter knows; 'off'; or a CLIP folder",
    )
    checkpoint_every: int = setting(
        50, low=1, high=50, unit="steps", says="Steps between checkpoints: what a killed run can lose at most"
    )
    preset: str = setting("standard", says="Name of the preset that the values below started from")
    recipe: str = setting("starter", says="Name of the recipe of the model's family over it, see docs/recipes.md")
    camera: CameraConfig = dataclasses.field(default_factory=CameraConfig)
    field: FieldConfig = dataclasses.field(default_factory=FieldConfig)
    render: RenderConfig = dataclasses.field(default_factory=RenderConfig)
    guidance: GuidanceConfig = dataclasses.field(default_factory=GuidanceConfig)
    prompts: PromptsConfig = dataclasses.field(default_factory=PromptsConfig)
    adapters: AdaptersConfig = dataclasses.field(default_factory=AdaptersConfig)
    score: ScoreConfig = dataclasses.field(default_factory=ScoreConfig)
    clip: ClipConfig = dataclasses.field(default_factory=ClipConfig)
    sphere: SphereConfig = dataclasses.field(default_factory=SphereConfig)
    optimize: OptimizeConfig = dataclasses.field(default_factory=OptimizeConfig)
    pace: PaceConfig = dataclasses.field(default_factory=PaceConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    refine: RefineConfig = dataclasses.field(default_factory=RefineConfig)
    texture: TextureConfig = dataclasses.field(default_factory=TextureConfig)
    start: StartConfig = dataclasses.field(default_factory=StartConfig)
    reference: ReferenceConfig = dataclasses.field(default_factory=ReferenceConfig)
    memory: MemoryConfig = dataclasses.field(default_factory=MemoryConfig)

    def check_together(self) -> None:
        """Clean the prompts; check groups of views, a sphere's triangles, and what a score that learns needs."""
        object.__setattr__(self, "prompt", checked_prompt(self.prompt, "prompt", empty_ok=not needs_words(self.recipe)))
        object.__setattr__(self, "negative", checked_prompt(self.negative, "negative prompt", empty_ok=True))
        group = self.camera.group
        whole = f"a multiple of {group}, because {group} views are judged together (camera.group)"
        require(self.optimize.views % group == 0, "optimize.views", self.optimize.views, whole)
        control = 20 * 4**self.sphere.level
        enough = self.method != "clip-mesh" or self.mesh.triangles >= control
        least = f"at least {control}, the triangles of the control mesh (sphere.level)"
        require(enough, "mesh.triangles", self.mesh.triangles, least)
        at_once = self.memory.views_at_once
        require(at_once % group == 0, "memory.views_at_once", at_once, f"0 or {whole}")
        require(
            self.memory.offload != "all" or not SCORES[self.guidance.score].learns,
            "memory.offload",
            self.memory.offload,
            f"'none' or 'text' with the score '{self.guidance.score}', whose copy shares the denoiser's weights",
        )


def views_at_once(config: GenerateConfig) -> int:
    """Return the number of views whose tensors are alive together; in an overlapped step these are both halves."""
    return min(config.optimize.views, config.memory.views_at_once or config.optimize.views)
