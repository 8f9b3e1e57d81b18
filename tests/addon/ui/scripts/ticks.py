"""A run with the largest growing mesh that the engine sends and an object of 50,000 triangles: what every tick took.

Tells [seconds, cpu_s, insertion] of each, and how many pieces (a picture, a mesh) one tick has brought at most.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

os.environ["DREAMFUSION_FAKE_TRIANGLES"] = "50000"
os.environ["DREAMFUSION_FAKE_RINGS"] = "50"
run = Run(steps=int(os.environ.get("DREAMFUSION_TEST_STEPS", "300")), step_s=0.01)
pump, previews, pictures = run.pump, run.previews, addon.part("ui.scene.icons")
brought = [0]  # pieces, by tick
inside = [False]


def counting(module: Any, name: str, worked: Callable[[Any], bool]) -> None:
    """Count the calls of a module's function that did something; not those from within another one that counts."""
    really = getattr(module, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        outer, inside[0] = inside[0], True
        answer = really(*arguments, **named)
        inside[0] = outer
        brought[-1] += worked(answer) and not outer
        return answer

    setattr(module, name, counted)


counting(previews, "show", lambda _: True)
counting(previews, "tick", bool)
counting(pictures, "show", lambda _: True)
counting(pictures, "put", lambda _: True)
counting(pictures, "row_parts", lambda _: True)

run.ticks(0.2)
addon.tell(first=pump.ticks[0].cpu_s)
pump.ticks.clear()
sizes: set[Any] = set()
job = run.generate()


def done() -> bool:
    """Whether the object is there; called once a tick."""
    brought.append(0)
    growing = run.preview()
    sizes.add(len(growing.data.polygons) if growing is not None else 0)
    return bool(job.inserted)


run.until(done, "the object")
addon.tell(
    ticks=[[tick.seconds, tick.cpu_s, tick.insertion] for tick in pump.ticks],
    brought=brought,
    triangles=len(bpy.context.view_layer.objects.active.data.polygons),
    growing=max(sizes),
)
