"""The demo's last part: Blender as a module puts the mesh through the add-on into a .blend and a picture."""

from __future__ import annotations

import json
from pathlib import Path

from installer.bpy_environments import FOLDER, environment_of, fitting, make_bpy_environment, ready
from installer.processes import ROOT, SetupFailed, output_of, run, say


def make_blend(engine_python: Path, arguments: list[str]) -> int:
    """Make the .blend and the picture of a finished run. Returns the exit code.

    engine_python: Path of the environment's interpreter.
    arguments: words that `generate` got.

    Where no bpy wheel fits, this says so, and the mesh is the result.
    """
    asking = [str(engine_python), str(ROOT / "installer" / "output_folder.py"), *arguments]
    folder = Path(json.loads(output_of(asking, Path.cwd()).strip().splitlines()[-1]))
    wheel = fitting()
    if wheel is None:
        say("No .blend was made: Blender as a Python module (bpy) needs Python 3.11 or 3.13, and neither is here.")
        say(f"The object is in {folder / 'mesh.glb'}: in Blender, File > Import > glTF 2.0.")
        return 0
    try:
        if ready(wheel) is None:
            say(f"Blender {wheel.series} as a Python module is fetched once: {wheel.megabytes} MB, 1 GB on disk.")
            say(f"It goes to {environment_of(wheel.series).relative_to(ROOT)}; --no-blend leaves it out.")
        python = make_bpy_environment(wheel)
    except SetupFailed as failure:
        say(f"No .blend was made. {failure.what}\n  why: {failure.why}\n  fix: {failure.fix}")
        say(f"The object is in {folder / 'mesh.glb'}: in Blender, File > Import > glTF 2.0.")
        return 0
    script = ROOT / "installer" / "blend_script.py"
    user = FOLDER / "blender-user"  # nothing of the user's own Blender is read or written
    return run([str(python), str(script), str(folder)], BLENDER_USER_RESOURCES=str(user))
