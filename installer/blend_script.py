"""Runs in a Python that has bpy: puts the mesh of a run into a scene through the add-on, renders it, saves it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Hide what Blender prints for every sample of a render. Failures are raised, so they are not hidden."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def main(folder: Path) -> None:
    """Make FOLDER/NAME.blend and FOLDER/NAME.png from FOLDER/mesh.glb and result.json.

    folder: Path of FOLDER; its name is NAME.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import bpy

    from blender_addon.core.job import Recipe
    from blender_addon.ui.scene import insert, placement, still

    bpy.ops.wm.read_factory_settings(use_empty=True)
    report = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    made_by = Recipe(prompt=report["prompt"], seed=report["seed"], versions=report.get("versions", {}))
    where = placement.captured(bpy.context, where="ORIGIN", on_ground=True)
    obj = insert.insert(bpy.context, folder / "mesh.glb", made_by, where)
    name = folder.name
    print(f"Rendering {name}.png ...", flush=True)
    scene = bpy.context.scene
    still.add_studio(scene, obj)  # it stays in the .blend: F12 there gives the same picture
    with silent():
        still.shoot(scene, folder / f"{name}.png")
        scene.render.filepath = "//"  # the user's renders go elsewhere
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{name}.blend"), check_existing=False)
    print(f"  {name}.blend  the object in Blender: {folder / (name + '.blend')}")
    print(f"  {name}.png    rendered by Cycles")


main(Path(sys.argv[1]))
