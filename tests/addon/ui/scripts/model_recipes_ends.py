"""Ends of ranges that the artist moves past the recipe's."""

import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from shown_settings import told

run = Run()
settings = run.settings
artist = addon.part("ui.settings.artist_settings")
artist.reset(settings)
run.greet()
settings.guidance.t_max = (0.45, 0.3)
told(run, "pushed")
artist.reset(settings)
settings.model = "owner/painter"
settings.guidance.t_min = (0.5, 0.45)
settings.model = "starter"
told(run, "kept")
settings.model = "owner/painter"
told(run, "again")
