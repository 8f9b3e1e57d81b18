"""Languages whose files are damaged or not finished: the add-on is there all the same."""

import os
from pathlib import Path

import addon
import bpy

translation = addon.part("ui.translation")
translation.FOLDER = Path(os.environ["DREAMFUSION_TEST_LANGUAGES"])
addon.enable()
shown = {}
if bpy.app.build_options.international:
    bpy.context.preferences.view.use_translate_interface = True
    for locale in ("de_DE", "fr_FR", "es", "it_IT", "nl_NL", "ru_RU"):
        bpy.context.preferences.view.language = locale
        seed = translation.translated("Seed {seed}", seed=3)
        shown[locale] = [translation.translated("Try Again..."), seed, translation.translated("Mask")]
addon.tell(shown=shown, operators=len(dir(bpy.ops.dreamfusion)))
addon.disable()
