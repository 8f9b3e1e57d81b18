"""A file as an earlier version of the add-on left it."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from old_file import old, path

addon.enable()
old(
    "painted",
    "draft",
    "owner/painter",
    guidance__scale=20.0,
    guidance__t_max=[0.9, 0.4],
    mesh__triangles=1234,
    camera__elevation_deg=[-20.0, 60.0],
    mesh__iso_auto=False,
    mesh__iso=7.25,
    mesh__texture=4096,
)
old("plain", "high", "starter")
old("sixty_four", "standard", "owner/painter", optimize__resolution=[64, 128], guidance__scale=7.0)
bpy.data.scenes.new("fresh")
for scene in bpy.data.scenes:
    assert not scene.dreamfusion.kept and not scene.dreamfusion.shown
bpy.ops.wm.save_as_mainfile(filepath=path)
