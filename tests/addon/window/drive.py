"""For scripts in Blender's window: a user at mouse and keyboard, who looks where things are before pointing at them.

A script is a generator that yields seconds to wait, or a callable to wait for. Blender must be started with
--enable-event-simulate. Ends Blender with code 0 when the generator ends, 1 when it raises or takes too long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

Wait = float | Callable[[], bool]
Script = Generator[Wait, None, None]
PATIENCE = 1800.0  # seconds for one condition, which comes unless something hangs; the script has a limit of its own
ROUNDS = 20  # over the sidebar in search of a button: a busy machine may draw it late
STEP = 10  # pixels between two looks for a button; the smallest is 20 high
TAB = "DreamFusion"


class TEST_PT_probe(bpy.types.Panel):
    """Empty; it is drawn when the add-on's tab is the open one."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = " "
    bl_options = {"HIDE_HEADER"}
    bl_order = 1000
    drawn = 0.0

    def draw(self, _context: Any) -> None:
        """Note the time."""
        TEST_PT_probe.drawn = time.monotonic()


def window() -> Any:
    """The window."""
    return bpy.context.window_manager.windows[0]


def view() -> Any:
    """The largest 3D view."""
    areas = [area for area in window().screen.areas if area.type == "VIEW_3D"]
    return max(areas, key=lambda area: area.width * area.height)


def sidebar() -> Any:
    """The sidebar's region of the 3D view."""
    return next(region for region in view().regions if region.type == "UI")


def centre() -> tuple[int, int]:
    """The middle of the 3D view."""
    region = next(region for region in view().regions if region.type == "WINDOW")
    return (region.x + region.width // 3, region.y + region.height // 2)


def event(kind: str, value: str, where: tuple[int, int], unicode: str | None = None, **modifiers: bool) -> None:
    """One event, as from the system."""
    more = {"unicode": unicode} if unicode is not None else {}
    window().event_simulate(kind, value, x=where[0], y=where[1], **more, **modifiers)


def move(where: tuple[int, int]) -> Script:
    """Move the mouse there: from nearby, as a hand would, because a button notices the mouse that comes in."""
    event("MOUSEMOVE", "NOTHING", (where[0] - 2, where[1] - 1))
    event("MOUSEMOVE", "NOTHING", where)
    yield 0.03


def click(where: tuple[int, int]) -> Script:
    """Left click."""
    yield from move(where)
    event("LEFTMOUSE", "PRESS", where)
    yield 0.05
    event("LEFTMOUSE", "RELEASE", where)
    yield 0.2


def press(key: str, where: tuple[int, int], **modifiers: bool) -> Script:
    """Press and release a key over a place."""
    event("MOUSEMOVE", "NOTHING", where)
    yield 0.05
    for value in ("PRESS", "RELEASE"):
        event(key, value, where, unicode=None, **modifiers)
    yield 0.1


def write(text: str, where: tuple[int, int]) -> Script:
    """Type a text of letters, digits and blanks."""
    for letter in text:
        key = {" ": "SPACE"}.get(letter, letter.upper())
        event(key, "PRESS", where, unicode=letter)
        event(key, "RELEASE", where)
        yield 0.02


def open_tab() -> Script:
    """Open the sidebar (N) and click the add-on's tab, wherever it is in the column of tabs."""
    if not hasattr(bpy.types, "TEST_PT_probe"):
        bpy.utils.register_class(TEST_PT_probe)
    space = view().spaces.active
    if not space.show_region_ui:
        space.show_region_ui = True
        yield 0.5
    region = sidebar()
    for down in [*range(20, min(700, region.height), 20)] * ROUNDS:
        began = time.monotonic()
        yield from click((region.x + region.width - 9, region.y + region.height - down))
        yield 0.1
        if TEST_PT_probe.drawn > began:
            return
    raise AssertionError("No click on a tab opened the add-on's panel.")


def what_is_under_the_mouse() -> str:
    """What a click would do: 'bpy.ops.dreamfusion.generate()', or a property's path such as 'dreamfusion.prompt'."""
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=window(), area=view(), region=sidebar()):
        for name in ("copy_python_command_button", "copy_data_path_button"):
            operator = getattr(bpy.ops.ui, name)
            manager.clipboard = ""
            if operator.poll():
                operator()
                if manager.clipboard:
                    return str(manager.clipboard)
    return ""


def find(
    what: str, *, near: int | None = None, across: tuple[float, ...] = (0.45, 0.84, 0.1, 0.93, 0.25)
) -> Generator[Wait, None, tuple[int, int]]:
    """Go over the sidebar with the mouse until a button that does `what` is under it; returns where it is.

    near: begin at this height, in pixels from below, instead of at the top. across: where to look, as shares of the
    sidebar's width.
    """
    region = sidebar()
    heights = list(range(region.y + region.height - 12, region.y + 4, -STEP))
    if near is not None:
        heights.sort(key=lambda y: abs(y - near))
    seen = []
    for share in across * ROUNDS:
        x = region.x + int((region.width - 20) * share)
        for y in heights:
            yield from move((x, y))
            under = what_is_under_the_mouse()
            if what in under:
                yield from move((x, y - 4))
                return (x, y - 4) if what in what_is_under_the_mouse() else (x, y)
            if under and under not in seen:
                seen.append(under)
    raise AssertionError(f"Nothing in the sidebar does {what}; there is {seen}")


def picture(name: str) -> Script:
    """Keep a picture of the whole screen in the folder that the test names."""
    folder = os.environ.get("DREAMFUSION_TEST_PICTURES")
    yield 0.3
    if folder:
        subprocess.run(
            ["import", "-silent", "-window", "root", str(Path(folder) / f"{name}.png")], check=True, timeout=60
        )


def run(script: Script, limit: float = PATIENCE) -> None:
    """Let a script go on from a timer, and end Blender with it."""
    bpy.context.preferences.view.show_splash = False
    # Else every movement over the sidebar draws the 3D view behind it anew, which is slow without a graphics card.
    bpy.context.preferences.system.use_region_overlap = False
    bpy.context.preferences.view.use_save_prompt = False  # asks nobody when Blender is ended
    deadline = time.monotonic() + limit
    waiting: list[tuple[Callable[[], bool], float]] = []

    def go_on() -> float | None:
        try:
            if time.monotonic() > deadline:
                raise AssertionError(f"The script took longer than {limit:.0f} s.")
            if waiting:
                condition, end = waiting[0]
                if not condition():
                    if time.monotonic() > end:
                        raise AssertionError(f"Waited in vain for {condition.__code__.co_names}, line {script_line()}.")
                    return 0.05
                waiting.clear()
            wait = next(script)
            if callable(wait):
                waiting.append((wait, time.monotonic() + PATIENCE))
                return 0.05
            return float(wait)
        except StopIteration:
            leave(0)
        except BaseException:
            traceback.print_exc()
            leave(1)
        return None

    def script_line() -> int:
        return frame.f_lineno if (frame := getattr(script, "gi_frame", None)) is not None else 0

    bpy.app.timers.register(go_on, first_interval=1.0, persistent=True)


def leave(code: int) -> None:
    """End Blender: as a user does when all went well, at once when not."""
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        folder = Path(os.environ.get("DREAMFUSION_TEST_PICTURES") or ".")
        subprocess.run(["import", "-silent", "-window", "root", str(folder / "failed.png")], check=False, timeout=60)
        os._exit(code)
    bpy.ops.wm.quit_blender()
