"""F1, or *Online Manual* in the menu of a button: the page of the add-on's manual that tells of it.

The pages come with the add-on, so they need no internet and fit its version. In a checkout they are those of docs/.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.declared_settings import ENGINE

_PACKED = Path(__file__).resolve().parents[1] / "manual"
_SOURCE = Path(__file__).resolve().parents[2] / "docs"

# Section of the manual -> operators whose buttons it tells of.
_OPERATORS = {
    "addon#install-the-engine": "install_engine look_again cancel_install open_install_log test_connection",
    "addon#use-another-engine": "open_preferences",
    "addon#download-models": "add_model remove_model download_model stop_download",
    "addon#make-an-object": "generate finish randomize_seed show_material_preview",
    "addon#work-on-while-it-runs": "pause cancel",
    "addon#the-best-of-several-seeds": "finish_seed insert_draft",
    "addon#begin-with-pictures": "add_pictures add_picture_line remove_picture show_cut_out uncut_picture",
    "addon#texture-your-own-objects": "texture insert_copies",
    "addon#change-a-part": "change_part",
    "addon#change-the-settings": "reset_settings add_preset",
    "addon#loras-and-learned-words": "add_adapter change_adapter remove_adapter",
    "addon#results-and-the-queue": "insert remove retry_job next_seed resume_job copy_job_recipe use_settings "
    "open_folder queue_text choose_folder",
    "addon#work-with-a-finished-object": "variation regenerate copy_recipe refine quads decimate mark_asset turntable",
    "addon#when-something-is-wrong": "lower_quality restart_engine open_log copy_report dismiss",
}
# Section -> groups of properties, or single ones, which come first. Those of the engine's settings are added below.
_PROPERTIES = {
    "addon#choose-where-the-object-goes": "DREAMFUSION_PG_placement.placeholder DREAMFUSION_PG_placement.after "
    "DREAMFUSION_PG_placement.size DREAMFUSION_PG_placement.where DREAMFUSION_PG_placement.on_ground",
    "addon#start-from-your-own-mesh": "DREAMFUSION_PG_placement",
    "addon#the-best-of-several-seeds": "DREAMFUSION_PG_settings.best_of",
    "addon#results-and-the-queue": "DREAMFUSION_PG_settings.prompts DREAMFUSION_PG_window DREAMFUSION_PG_row",
    "addon#texture-your-own-objects": "DREAMFUSION_PG_settings.task DREAMFUSION_PG_texture",
    "addon#begin-with-pictures": "DREAMFUSION_PG_settings.pictures DREAMFUSION_PG_pictures DREAMFUSION_PG_picture",
    "addon#loras-and-learned-words": "DREAMFUSION_PG_settings.adapters DREAMFUSION_PG_adapters DREAMFUSION_PG_lora "
    "DREAMFUSION_PG_word",
    "addon#two-models": "DREAMFUSION_PG_settings.texture_model DREAMFUSION_PG_settings.texture_choice",
    "addon#with-a-clip": "DREAMFUSION_PG_settings.method",
    "addon#make-an-object": "DREAMFUSION_PG_settings",
    "addon#where-files-are": "DREAMFUSION_AP_preferences.output DREAMFUSION_AP_preferences.model_folder",
    "addon#download-models": "DREAMFUSION_PG_model DREAMFUSION_AP_preferences.models DREAMFUSION_AP_preferences.token "
    "DREAMFUSION_AP_preferences.show_offer",
    "addon#use-another-engine": "DREAMFUSION_AP_preferences",
}


def mapping() -> tuple[tuple[str, str], ...]:
    """Names as Blender asks for them, in small letters and with wildcards, each with page and section."""
    ending = ".html" if _PACKED.is_dir() else ".md"
    found = [(f"bpy.ops.dreamfusion.{name}", place) for place, names in _OPERATORS.items() for name in names.split()]
    for stage, settings in ENGINE.stages.items():
        if stage:
            found += [(f"bpy.types.dreamfusion_pg_{stage}.{key}*", f"settings#{stage}.{key}") for key in settings]
            found.append((f"bpy.types.dreamfusion_pg_{stage}.*", f"settings#{stage}"))
    named = [(name.lower(), place) for place, names in _PROPERTIES.items() for name in names.split()]
    found += [(f"bpy.types.{name}", place) for name, place in named if "." in name]
    found += [(f"bpy.types.{name}{tail}", place) for name, place in named if "." not in name for tail in ("", ".*")]
    return tuple((name, place.replace("#", f"{ending}#")) for name, place in found)


def _told() -> tuple[str, tuple[tuple[str, str], ...]]:
    """What Blender asks for: where the pages are, and which one each name has."""
    folder = _PACKED if _PACKED.is_dir() else _SOURCE
    return f"{folder.as_uri()}/", mapping()


def register() -> None:
    """Let F1 lead to the manual."""
    bpy.utils.register_manual_map(_told)


def unregister() -> None:
    """Take that back."""
    bpy.utils.unregister_manual_map(_told)
