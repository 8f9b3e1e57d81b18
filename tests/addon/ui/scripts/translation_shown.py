"""Every name and description of the add-on, as Blender knows them; and what the panels say in each language."""

import json
import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import Drawn, RecordingLayout, draw

LOCALES = {"de": "de_DE", "fr": "fr_FR"}  # as Blender 3.4 names them


def of_rna(rna: Any) -> set[str]:
    """Names, descriptions and lines of menus of the properties that are not hidden."""
    found = set()
    for prop in rna.properties:
        if prop.is_hidden or prop.identifier in ("rna_type", "bl_idname") or not prop.is_runtime:
            continue
        found |= {prop.name, prop.description}
        for item in prop.enum_items_static if prop.type == "ENUM" else ():
            found |= {item.name, item.description}
    return found


addon.enable()
classes = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("DREAMFUSION_")]
for base in (bpy.types.PropertyGroup, bpy.types.AddonPreferences):
    classes += [cls for cls in base.__subclasses__() if cls.__name__.startswith("DREAMFUSION_")]
known: set[str] = set()
for cls in classes:
    known |= {cls.bl_label} if hasattr(cls, "bl_label") else set()
    if "preset" in cls.__name__:  # most of it is Blender's own
        continue
    if issubclass(cls, bpy.types.Operator):
        rna = getattr(bpy.ops.dreamfusion, cls.bl_idname.rpartition(".")[2].removeprefix("DREAMFUSION_OT_"))
        known |= {rna.get_rna_type().name, rna.get_rna_type().description} | of_rna(rna.get_rna_type())
    elif not issubclass(cls, (bpy.types.Panel, bpy.types.Menu, bpy.types.UIList)):
        known |= of_rna(cls.bl_rna)
addon.tell(known=sorted(known), international=bpy.app.build_options.international)

translation = addon.part("ui.translation")
shown, drawn, names = {}, {}, {}
view = bpy.context.preferences.view
for language, locale in LOCALES.items() if bpy.app.build_options.international else ():
    view.language, view.use_translate_interface, view.use_translate_tooltips = locale, True, True
    texts = json.loads((translation.FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    shown[language] = {text: translation.translated(text) for text in texts}
    names[language] = {
        cls.bl_label: bpy.app.translations.pgettext_iface(cls.bl_label, cls.bl_translation_context)
        for cls in classes
        if issubclass(cls, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)) and "preset" not in cls.__name__
    }
    record = Drawn()
    addon.part("ui.run.session").current().missing = None  # as if there were an engine
    for cls in sorted(classes, key=lambda cls: cls.__name__):
        if issubclass(cls, (bpy.types.Panel, bpy.types.Menu)) and "preset" not in cls.__name__:
            record.calls += draw(cls).calls
    addon.part("ui.panels.preferences").draw(RecordingLayout(record), bpy.context, addon.preferences())
    drawn[language] = record.texts()
    seed = translation.translated("Seed {seed} won of {count}", seed=3, count=8)
    whole = addon.part("core.engine.troubles").exit_trouble(-9, ["a"], local=True, ready=True)
    addon.tell(**{f"formatted_{language}": [seed, translation.told(whole)]})
addon.tell(shown=shown, drawn=drawn, names=names)
view.language = "en_US" if shown else view.language
addon.tell(english=translation.translated("Seed {seed} won of {count}", seed=3, count=8))
addon.disable()
addon.tell(after=bpy.app.translations.pgettext_iface("Try the Next Seed", "DreamFusion"))
