"""Scores are chosen, and what the recipe has with them."""

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
settings.model = "owner/painter"
settings.guidance.score = "vsd"
told(run, "vsd")
settings.guidance.score = "sdi"
told(run, "sdi")
settings.guidance.score = "nfsd"
settings.guidance.scale = 30.0
told(run, "mine")
settings.guidance.score = "sds"
told(run, "mine_kept")
artist.reset(settings)
settings.guidance.score = "vsd"
settings.model = "owner/strange"
settings.preset = "draft"
told(run, "strange")
settings.model = "owner/painter"
told(run, "back")
artist.reset(settings)
told(run, "reset")
artist.put(settings, {"guidance": {"score": "vsd", "rescale": 0.25}})
told(run, "put")
