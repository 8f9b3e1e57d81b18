"""In Blender's window, in German: what the panels say, Blender's search (F3), and a key that outlives disabling.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive

STEPS = 100_000  # more than are made before the run is cancelled
CLOSED = {"pictures": ["pictures"], "settings": ["guidance", "training", "mesh", "memory", "placement"]}
PAGES, WHEEL = 5, 12  # pictures of the sidebar, and turns of the wheel between two


def script() -> drive.Script:
    """What an artist does who reads German."""
    view = bpy.context.preferences.view
    view.language, view.use_translate_interface, view.use_translate_tooltips = "de_DE", True, True
    addon.enable()
    for module, names in CLOSED.items():  # as if the artist had opened them
        for name in names:
            cls = getattr(addon.part(f"ui.panels.{module}"), f"DREAMFUSION_PT_{name}")
            bpy.utils.unregister_class(cls)
            cls.bl_options = set()
            bpy.utils.register_class(cls)
    yield from drive.open_tab()
    yield 3.0
    yield from drive.picture("german-install")
    yield from use_engine_of_tests()
    yield from drive.picture("german-empty")
    chosen = bpy.context.scene.dreamfusion
    chosen.prompt, chosen.preset, chosen.optimize.steps = "a house", "draft", STEPS
    yield from search("Startwert aus")
    addon.tell(seed_found=chosen.seed)
    yield from key_that_stays()
    yield from use_engine_of_tests()
    yield from looks()
    here = addon.part("ui.run.session").current()
    bpy.ops.dreamfusion.generate()
    job = here.queue.jobs[0]
    yield lambda: job.state == "running" and job.step > 0
    yield 2.0
    yield from drive.picture("german-running")
    bpy.ops.dreamfusion.cancel()
    yield lambda: job.state == "cancelled"
    yield 1.0
    yield from drive.picture("german-cancelled")
    view.language = "en_US"
    bpy.context.scene.dreamfusion.seed = 0
    yield from search("ai text random")
    addon.tell(seed_by_words=bpy.context.scene.dreamfusion.seed)


def use_engine_of_tests() -> drive.Script:
    """Choose the script that stands for the engine; preferences are gone after the add-on was off."""
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    yield lambda: here.models is not None
    yield 1.0


def search(words: str) -> drive.Script:
    """Type words into Blender's search, and take its first find."""
    yield from drive.press("F3", drive.centre())
    yield 0.7
    yield from drive.write(words, drive.centre())
    yield 0.7
    yield from drive.picture(f"search-{words.replace(' ', '-').lower()}")
    yield from drive.press("RET", drive.centre())
    yield 0.7


def key_that_stays() -> drive.Script:
    """Give an operator a key, as the preferences do; press it before and after the add-on was off."""
    chosen = bpy.context.scene.dreamfusion
    entry = entry_of("dreamfusion.randomize_seed")
    entry.type = "F17"
    yield 0.5
    chosen.seed = 0
    yield from drive.press("F17", drive.centre())
    yield 0.5
    first = bpy.context.scene.dreamfusion.seed
    addon.disable()
    yield 0.5
    gone = [kind for kind in ("addon", "user") if entries(kind)]
    addon.enable()
    yield 0.5
    bpy.context.scene.dreamfusion.seed = 0
    yield from drive.press("F17", drive.centre())
    yield 0.5
    addon.tell(first=first, gone=gone, key=entry_of("dreamfusion.randomize_seed").type)
    addon.tell(second=bpy.context.scene.dreamfusion.seed)


def entries(kind: str) -> list[str]:
    """The add-on's operators in a keymap of Blender: 'addon' or 'user'."""
    keymap = getattr(bpy.context.window_manager.keyconfigs, kind).keymaps.get("3D View")
    return [entry.idname for entry in keymap.keymap_items if entry.idname.startswith("dreamfusion.")] if keymap else []


def entry_of(operator: str) -> bpy.types.KeyMapItem:
    """The entry of an operator as the artist's keymap has it."""
    return next(entry for _, _, entry in addon.part("ui.keymap").shown(bpy.context) if entry.idname == operator)


def looks() -> drive.Script:
    """Look at all that the sidebar has, and at the preferences."""
    region = drive.sidebar()
    for number in range(PAGES):
        yield from drive.picture(f"german-{number}")
        for _ in range(WHEEL):
            drive.event("WHEELDOWNMOUSE", "PRESS", (region.x + region.width // 2, region.y + region.height // 2))
            yield 0.02
        yield 0.3
    bpy.ops.preferences.addon_show(module=addon.NAME)
    addon.preferences().show_shortcuts = True
    yield 1.5
    yield from drive.picture("german-preferences")
    window = bpy.context.window_manager.windows[-1]
    for _ in range(60):
        window.event_simulate("WHEELDOWNMOUSE", "PRESS", x=window.width // 2, y=window.height // 2)
        yield 0.02
    yield 0.5
    yield from drive.picture("german-shortcuts")
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
    yield 0.5


drive.run(script(), limit=600.0)
