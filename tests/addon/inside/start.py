"""Runs inside Blender: starts a test's script as its own main program, with `import addon` at hand.

Called as `python start.py SCRIPT ARGUMENTS` by a Python that has bpy, or by `blender --python start.py -- SCRIPT ...`.
Ends with code 1 and a traceback when the script raises.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from pathlib import Path


def main() -> None:
    """Run the script that the command line names."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    sys.argv = words
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.path.insert(0, str(Path(words[0]).resolve().parent))
    import bpy

    if not bpy.app.background:
        # A window shows nothing before the script has returned to Blender, so such a script registers timers and
        # leaves Blender itself.
        runpy.run_path(words[0], run_name="__main__")
        return
    if os.environ.get("DREAMFUSION_TEST_FACTORY"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(1)  # a script that failed half-way may hang Blender's end, which would hide why


main()
