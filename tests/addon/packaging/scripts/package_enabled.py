"""The packed add-on in a Blender that has installed it: where it lies, and how many wheels it holds."""

import pathlib
import sys

import addon
import bpy

name = sys.argv[1]
if name not in sys.modules:  # the bpy module begins with first settings, whatever was saved
    import addon_utils

    addon_utils.extensions_refresh()
    addon_utils.enable(name, default_set=True)
module = sys.modules[name]
assert name in bpy.context.preferences.addons
folder = pathlib.Path(str(module.__file__)).parent

addon.tell(folder=str(folder), wheel=len(list((folder / "engine").glob("*.whl"))))
setup = __import__(name + ".core.setup.installation", fromlist=["x"])
addon.tell(source=str(setup.package_source()))
assert hasattr(bpy.types, "DREAMFUSION_PT_main"), [n for n in dir(bpy.types) if "DREAM" in n]
