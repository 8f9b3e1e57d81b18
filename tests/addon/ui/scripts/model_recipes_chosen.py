"""A model and a preset are chosen, before and after the engine's list."""

import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from shown_settings import told

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
settings.model = "owner/painter"
told(run, "unknown")
run.greet()
told(run, "draft")
settings.preset = "high"
told(run, "high")
settings.model = "starter"
told(run, "starter")
