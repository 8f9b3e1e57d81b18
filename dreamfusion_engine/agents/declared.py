"""The tools that an agent has, declared once: what each is for, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from dreamfusion_engine.agents.arguments import Argument, Arguments
from dreamfusion_engine.config.presets import PRESET_NAMES
from dreamfusion_engine.config.seed_range import HIGHEST
from dreamfusion_engine.pictures.given import MOST
from dreamfusion_engine.pictures.viewpoint import FORMS

WATCH_SECONDS = 60  # of a call at most: clients give up on calls that take long


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool.

    says: str, for the agent.
    takes: its arguments.
    reads: bool, whether it changes nothing.
    """

    says: str
    takes: Arguments = field(default_factory=dict)
    reads: bool = False


_RUN = {"run": Argument(type="string", says="Name of the run", needed=True)}
_ASKED = {
    "prompt": Argument(type="string", says='What it is, such as "a hamburger"', needed=True),
    "preset": Argument(type="string", says="How much work the run does", default="standard", choices=PRESET_NAMES),
    "seed": Argument(type="integer", says="Another seed, another result", default=0, low=0, high=HIGHEST),
    "model": Argument(type="string", says="Name of a model, as list_models says it", default="starter"),
    "settings": Argument(
        type="object", says='Settings by stage over the preset, such as {"optimize": {"steps": 400}}', default={}
    ),
}
_PICTURE = {
    "file": Argument(type="string", says="Path of a PNG, JPEG or the like in the allowed folder", needed=True),
    "view": Argument(type="string", says=f"From where it shows the object: {FORMS}", default="front"),
    "mask": Argument(
        type="string",
        says="Path of a picture that is white where the object is; without it alpha or colours say it",
        default="",
    ),
}
_MESH = Argument(type="string", says="Path of a .glb file in the allowed folder", needed=True)
TOOLS: dict[str, Tool] = {
    "list_models": Tool(
        says="The models that are on this machine. The starter knows only its kinds, colours and parts.", reads=True
    ),
    "generate": Tool(
        says="Begin to make a textured 3D object of a prompt, and of pictures. Answers at once with the run's name: "
        "watch it then.",
        takes=_ASKED
        | {
            "texture_model": Argument(type="string", says="Name of another model, which paints the finished shape"),
            "prompt": Argument(
                type="string",
                says='What it is, such as "a hamburger"; may be left out with pictures and a model that is told one',
                default="",
            ),
            "pictures": Argument(
                type="array",
                says="Pictures of the object, each from another side: the object is held to them",
                default=[],
                high=MOST,
                entries=_PICTURE,
            ),
            "begin_from": Argument(
                type="string", says="Path of a .glb file in the allowed folder, from whose shape the object begins"
            ),
        },
    ),
    "texture": Tool(says="Begin to paint a mesh as a prompt says; its shape stays.", takes={"mesh": _MESH} | _ASKED),
    "refine": Tool(says="Begin to improve a mesh: its shape and its colours.", takes={"mesh": _MESH} | _ASKED),
    "watch": Tool(
        says="Wait until a run is over, or for some seconds, and say where it is. Tells progress meanwhile.",
        takes=_RUN
        | {"seconds": Argument(type="number", says="How long to wait at most", default=25, low=0, high=WATCH_SECONDS)},
        reads=True,
    ),
    "cancel": Tool(says="Stop a run. What it has learnt is kept in a checkpoint: resume goes on.", takes=_RUN),
    "resume": Tool(says="Go on with a run that was stopped or broken off.", takes=_RUN),
    "list_runs": Tool(says="All runs in the allowed folder, the newest first, and their states.", reads=True),
    "result": Tool(says="The files of a finished run, and what was measured of its object.", takes=_RUN, reads=True),
    "look": Tool(says="The newest picture of a run, also while it is at work.", takes=_RUN, reads=True),
}
