"""The buttons of every error code, and how long texts are wrapped."""

import sys

import addon
import blf
import bpy

addon.enable()
messages = addon.part("ui.panels.trouble_box")
codes = sys.argv[1].split(",")
told = {}
for code in codes:
    told[code] = [[button[0] for button in messages.buttons(code, has_job)] for has_job in (False, True)]
operators = {name for pair in told.values() for names in pair for name in names}
missing = [name for name in operators if not hasattr(bpy.types, "DREAMFUSION_OT_" + name.partition(".")[2])]
text = "The engine stopped in the middle of its work, and averyveryverylongwordthatfitsnowhereatall follows it"
lines = messages.wrapped(text, 120, 11.0)

facts = ", ".join(fact.replace(" ", messages.TIE) for fact in ("12.3 steps/s", "2 h 50 min left", "1.2 GiB"))
tied = {width: messages.wrapped(facts, width, 11.0) for width in range(120, 400, 5)}
blf.size(0, 11.0)
addon.tell(told=told, missing=missing, lines=lines, tied=tied, widest=max(blf.dimensions(0, line)[0] for line in lines))
