"""The models that can be downloaded, in the preferences: size, fit, licence, and a button each."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, UILayout

from ...core.phrase import phrase
from ..run import session
from ..settings import models
from ..translation import sentences, translated
from . import trouble_box


def draw(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw the download that runs, and below it the list, which is closed at first.

    chosen: the preferences.
    """
    here = session.current()
    _draw_download(layout, context, here)
    offered = [line for line in here.queue.suggestions if line.get("state") != "withdrawn" and line.get("name")]
    if not offered:
        return
    row = layout.row()
    row.alignment = "LEFT"
    row.use_property_split = False
    icon = "TRIA_DOWN" if chosen.show_offer else "TRIA_RIGHT"
    row.prop(chosen, "show_offer", text="Models to Download", icon=icon, emboss=False)
    if not chosen.show_offer:
        return
    for line in offered:
        _draw_line(layout, context, line)


def _draw_download(layout: UILayout, context: Context, here: session.Session) -> None:
    download = here.queue.downloads.last
    if download is None:
        return
    box = layout.box()
    if download.active:
        row = box.row()
        row.label(text=f"{download.model}: {translated(download.text)}", translate=False, icon="IMPORT")
        row.operator("dreamfusion.stop_download", text="", icon="X")
    elif download.trouble is not None:
        text = sentences(download.trouble.what, download.trouble.why)
        trouble_box.draw_text(box, context, text, "ERROR", inset=trouble_box.BOX)
        fix = trouble_box.in_blender(download.trouble)
        if fix:
            trouble_box.draw_text(box, context, fix, "BLANK1", inset=trouble_box.BOX)
    elif download.state == "done":
        text = translated("{model} is here. Choose it as the model in the sidebar", model=download.model)
        box.label(text=text, icon="CHECKMARK")
    else:
        text = translated("{model}: stopped. Download goes on from there", model=download.model)
        box.label(text=text, icon="INFO")


def _draw_line(layout: UILayout, context: Context, line: dict[str, Any]) -> None:
    """Draw a model in two lines: its name with the buttons, and below it the facts, wrapped."""
    column = layout.column(align=True)
    row = column.row()
    row.label(text=str(line.get("title") or line["name"]), icon=models.FIT_ICONS.get(str(line.get("fit")), "QUESTION"))
    buttons = row.row(align=True)
    buttons.alignment = "RIGHT"
    if line.get("page"):
        buttons.operator("wm.url_open", text="", icon="URL").url = str(line["page"])
    text = phrase("Mend") if line.get("state") == "broken" else phrase("Download")
    buttons.operator("dreamfusion.download_model", text=text, icon="IMPORT").model = str(line["name"])
    need = models.need_text(line)
    facts = [models.experimental_text(line), models.size_text(line), phrase("takes {need}", need=need) if need else ""]
    facts.append(str(line.get("license") or ""))
    if line.get("state") == "gated":
        facts.append(phrase("to be accepted on its page first"))
    facts_text = ", ".join(translated(fact) for fact in facts if fact)
    trouble_box.draw_text(column, context, facts_text, "BLANK1", inset=trouble_box.BOX)
