"""What went wrong, in the panel: what, why, what to do, and a button where a button can do it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import blf
from bpy.types import Context, UILayout

from ...core.job import Job, Trouble
from ...core.phrase import phrase, phrases
from ..translation import translated

_FONT_POINTS = 11.0  # the interface's text size in Blender's own theme
_MARGIN = 56.0  # pixels at scale 1: panel borders, box borders, scroll bar
_ICON = 26.0  # pixels that an icon before a text takes
BOX = 16.0  # ... the border of a box
BUTTON = 24.0  # ... and a small button beside it
_NARROWEST = 60.0
TIE = "\N{NO-BREAK SPACE}"  # a blank at which no line breaks, as between a number and its unit
_WIDE = 260.0  # Blender's sidebar is 155 wide at first, until somebody drags it


def ui_scale(context: Context) -> float:
    """The scale of the interface; 1 without windows, where Blender says 0."""
    return float(context.preferences.system.ui_scale) or 1.0


def text_width(context: Context, inset: float = 0.0) -> float:
    """The room for a line of text in the region that is being drawn, in pixels.

    inset: float, pixels at scale 1 to leave free.
    """
    scale = ui_scale(context)
    width = context.region.width if context.region is not None else 300.0
    return max(_NARROWEST * scale, width - (_MARGIN + inset) * scale)


def is_wide(context: Context) -> bool:
    """Whether the region is wide enough for names beside values."""
    return text_width(context) > _WIDE * ui_scale(context)


def draw_text(
    layout: UILayout,
    context: Context,
    text: str,
    icon: str = "NONE",
    *,
    limit: int = 12,
    inset: float = 0.0,
    translate: bool = True,
) -> None:
    """Draw a paragraph in Blender's language, wrapped to the region.

    icon: str, the icon before its first line.
    limit: int, the most lines.
    inset: float, see `text_width`.
    translate: bool, False for the artist's own words.
    """
    column = layout.column(align=True)
    column.scale_y = 0.8
    scale = ui_scale(context)
    room = text_width(context, inset + (_ICON if icon != "NONE" else 0.0))
    lines = wrapped(translated(text) if translate else text, round(room), round(_FONT_POINTS * scale, 2))
    shown = lines if len(lines) <= limit else [*lines[: limit - 1], lines[limit - 1] + " ..."]
    for number, line in enumerate(shown):
        if number == 0 or icon == "NONE":
            column.label(text=line, icon=icon, translate=False)
        else:
            column.label(text=line, icon="BLANK1", translate=False)


@functools.lru_cache(maxsize=256)
def wrapped(text: str, width: int, points: float) -> list[str]:
    """The text as lines. A word that is longer than a line is cut. Words tied by `TIE` stay together.

    text: str, the paragraph.
    width: int, pixels that a line may take.
    points: float, size of the font.
    """
    blf.size(0, points)

    def fits(line: str) -> bool:
        return bool(blf.dimensions(0, line.replace(TIE, " "))[0] <= width)

    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in re.split("[ \t]+", paragraph.strip(" \t")):
            joined = f"{line} {word}" if line else word
            if fits(joined):
                line = joined
                continue
            if line:
                lines.append(line)
            line = word
            while not fits(line) and len(line) > 1:
                cut = _longest(line, fits)
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return [line.replace(TIE, " ") for line in lines]


def _longest(word: str, fits: Callable[[str], bool]) -> int:
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(word[:middle]) else (low, middle - 1)
    return low


def draw_trouble(layout: UILayout, context: Context, trouble: Trouble, job: Job | None = None) -> None:
    """Draw a box with what, why and fix of a trouble, and its buttons.

    trouble: Trouble to show.
    job: Job that it is about, or None.
    """
    box = layout.box()
    row = box.row()
    draw_text(row.column(), context, trouble.what, "ERROR", limit=4, inset=BOX + BUTTON)
    row.operator("dreamfusion.dismiss", text="", icon="X", emboss=False).job_id = job.id if job is not None else ""
    if job is not None:
        draw_text(box, context, job.recipe.title, "MESH_CUBE", limit=2, inset=BOX, translate=False)
    if trouble.why:
        draw_text(box, context, trouble.why, "BLANK1", limit=8, inset=BOX)
    fix = in_blender(trouble)
    if fix:
        draw_text(box, context, fix, "INFO", limit=8, inset=BOX)
    column = box.column(align=True)
    in_preferences = context.area is not None and context.area.type == "PREFERENCES"
    for operator, text, icon in buttons(trouble.code, job is not None):
        if in_preferences and operator == _PREFERENCES[0]:
            continue
        made = column.operator(operator, text=text, icon=icon)
        if job is not None and hasattr(made, "job_id"):
            made.job_id = job.id


def in_blender(trouble: Trouble) -> str:
    """The fix in words for the sidebar. The engine's own words may speak of its command line."""
    if trouble.code in _FIXES:
        return _FIXES[trouble.code]
    if not _COMMAND_LINE.search(trouble.fix):
        return trouble.fix
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", trouble.fix) if not _COMMAND_LINE.search(part)]
    return " ".join(sentences)


_COMMAND_LINE = re.compile(r"(?:^|\s)--[a-z]|install\.py|dreamfusion-engine|HF_[A-Z]+")
_FIXES = phrases(
    {
        "checkpoint.damaged": "Try again from the beginning.",
        "checkpoint.format": "Try again from the beginning, or resume with the engine that wrote it.",
        "checkpoint.missing": "Try again from the beginning.",
        "checkpoint.other_run": "Resume with the same settings and model, or try again from the beginning.",
        "input.preset": "Choose Draft, Standard or High, or install the engine again.",
        "model.damaged": "Copy or download the model again, or choose another one.",
        "model.unsupported": "Choose a model of a supported family, or the built-in one.",
        "run.out_of_memory": "Close other programs, or use a lower quality, fewer views per step or a smaller texture.",
        "input.disk_full": "Make room on the disk and resume, or choose another output folder.",
        "input.output": "Choose another output folder, or change the permissions of this one.",
        "input.output_file": "Choose another output folder.",
        "input.output_busy": "Wait for the other run, or choose another output folder.",
        "input.output_taken": "Choose another output folder, or move the old result away.",
        "input.device": "Choose Automatic as the device in the preferences.",
        "input.adapter_file": "Choose the file again by the folder beside its name, put it back, or switch it off.",
        "input.embedding": "Switch this word off or remove it, or choose a model that it was made for. Where its word "
        "is taken, rename the file.",
        "input.lora": "Switch this LoRA off or remove it, or choose a model that it was made for.",
        "input.mask": "Choose a mask as large as its picture in Pictures, white on the object and black elsewhere.",
        "input.picture_empty": "Paint alpha back where the object is, or choose a picture without alpha in Pictures.",
        "input.picture_no_object": "Choose a mask in Pictures, an image that is white where the object is. Or paint "
        "the background's alpha away in an Image Editor.",
        "input.picture_twice": "Choose another view for one of them in Pictures, or remove one.",
        "setup.device": "Choose Automatic as the device in the preferences, or install the card's driver.",
        "setup.package": "Install the engine again.",
        "setup.ffmpeg": "Install the engine again.",
        "model.missing": "Choose another model, or check its folder in the preferences.",
        "model.not_downloaded": "Download it in the preferences, or choose another model.",
        "model.incomplete": "Download it again in the preferences: what is there is kept. Or choose another model.",
        "model.gated": "Open its page by the button in its line, accept the licence, and enter your account's token.",
        "model.token": "Enter a valid hub token in the preferences, or none for models that ask for none.",
        "model.network": "Check the network and try again: what has arrived is kept.",
        "model.offline": "Allow online access in Blender's system preferences, and try again.",
        "model.not_folder": "Choose the folder of a diffusers pipeline in the preferences.",
        "run.cancelled": "Press Resume to go on.",
        "run.device_lost": "Look after the card's cable, its power and its driver, then resume. Or choose the "
        "processor as the device in the preferences, and resume there.",
        "setup.precision": "Set the precision back to automatic.",
    }
)

_INSTALL = ("dreamfusion.install_engine", phrase("Install Engine..."), "IMPORT")
_INSTALL_AGAIN = ("dreamfusion.install_engine", phrase("Try Again..."), "FILE_REFRESH")
_INSTALL_LOG = ("dreamfusion.open_install_log", phrase("Open Log"), "TEXT")
_LOOK = ("dreamfusion.look_again", phrase("Look Again"), "FILE_REFRESH")
_PREFERENCES = ("dreamfusion.open_preferences", phrase("Open Preferences"), "PREFERENCES")
_RETRY = ("dreamfusion.retry_job", phrase("Try Again"), "FILE_REFRESH")
_RESUME = ("dreamfusion.resume_job", phrase("Resume"), "PLAY")
_LOWER = ("dreamfusion.lower_quality", phrase("Try with Lower Quality"), "TRIA_DOWN")
_SEED = ("dreamfusion.next_seed", phrase("Try the Next Seed"), "FORWARD")
_FOLDER = ("dreamfusion.choose_folder", phrase("Choose Folder..."), "FILE_FOLDER")
_LOG = ("dreamfusion.open_log", phrase("Open Log"), "TEXT")
_REPORT = ("dreamfusion.copy_report", phrase("Copy Report"), "COPYDOWN")
_RESTART = ("dreamfusion.restart_engine", phrase("Start Engine Again"), "FILE_REFRESH")

# The longest beginning of a trouble's code that is listed here decides its buttons.
_BUTTONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "": (_RETRY,),
    "engine": (_RESUME, _RESTART, _LOG),
    "engine.cluster_address": (_PREFERENCES,),
    "engine.command": (_PREFERENCES,),
    "engine.disk_full": (_RESUME, _FOLDER),
    "engine.memory": (_LOWER, _RESUME),
    "engine.missing_package": (_INSTALL, _PREFERENCES, _LOG),
    "engine.missing_program": (_PREFERENCES, _INSTALL),
    "engine.not_installed": (_INSTALL, _PREFERENCES),
    "engine.not_there": (_PREFERENCES, _INSTALL),
    "engine.permission": (_PREFERENCES, _LOG),
    "engine.start": (_INSTALL, _PREFERENCES, _LOG),
    "engine.start_silent": (_RESTART, _LOG),
    "engine.ssh_lost": (_RESUME, _PREFERENCES, _LOG),
    "engine.ssh": (_PREFERENCES, _RETRY, _LOG),
    "engine.version": (_INSTALL, _PREFERENCES),
    "engine.wrong_architecture": (_INSTALL, _PREFERENCES),
    "input": (),
    "input.adapter_file": (_RETRY,),
    "input.device": (_PREFERENCES,),
    "input.disk_full": (_RESUME, _FOLDER),
    "input.output": (_FOLDER,),
    "input.place": (_PREFERENCES,),
    "job.interrupted": (_RESUME,),
    "job.write": (_FOLDER, _RESUME),
    "internal": (_RETRY, _LOG),
    "model": (_PREFERENCES,),
    "pictures": (),
    "protocol": (_INSTALL, _LOG),
    "run.cluster_gone": (_RESUME, _PREFERENCES),
    "run.device_lost": (_RESUME, _PREFERENCES),
    "run.empty": (_SEED,),
    "run.non_finite": (_SEED,),
    "run.out_of_memory": (_LOWER, _RESUME),
    "setup": (_INSTALL, _PREFERENCES),
    "setup.cluster": (_PREFERENCES,),
    "setup.ray": (_PREFERENCES,),
    "texture": (),
    "setup.device": (_PREFERENCES,),
    "setup.failed": (_INSTALL_AGAIN, _INSTALL_LOG),
    "setup.machine": (_LOOK,),
    "setup.python": (_LOOK, _PREFERENCES),
}
_FOR_JOBS = {_RETRY[0], _RESUME[0], _LOWER[0], _SEED[0]}
_WITHOUT_JOB = {_RESTART[0]}


def buttons(code: str, has_job: bool) -> list[tuple[str, str, str]]:
    """(operator, label, icon) of every button that helps, the most useful first.

    code: str, the trouble's code.
    has_job: bool, whether the trouble is about a job.
    """
    beginning = max((key for key in _BUTTONS if code.startswith(key)), key=len)
    unfit = _WITHOUT_JOB if has_job else _FOR_JOBS
    return [button for button in _BUTTONS[beginning] if button[0] not in unfit] + [_REPORT]
