"""The preferences offer models with size and fit, show a download on its way, and every end of it, in every Blender."""

from __future__ import annotations

from addon.blenders import Session

SCRIPT = """
import sys, addon, bpy
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import Drawn, RecordingLayout

addon.enable()
here = addon.part("ui.run.session").current()
preferences = addon.preferences()
Trouble = addon.part("core.job").Trouble
downloads = here.queue.downloads

def told(name):
    drawn = Drawn()
    addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
    addon.tell(**{name: {"texts": drawn.texts(), "operators": drawn.operators(), "properties": drawn.properties()}})

told("nothing_known")
def line(name, state, fit, **more):
    return {"name": name, "title": name.title(), "state": state, "fit": fit, "size_mb": 2132, "memory_mib": 11900,
            "license": "openrail", "page": "https://hub.example/" + name, **more}
here.queue._host.suggestions = [line("a/small", "open", "fits"), line("b/large", "gated", "too large"),
    line("c/broken", "broken", "unknown", size_mb=0, memory_mib=0), line("d/gone", "withdrawn", "fits"),
    {"name": "e/bare"}]
told("folded")
preferences.show_offer = True
told("offered")
downloads.ask("a/small")
told("waiting")
downloads.last.state = "running"
far = {"step": 10**9, "total": 2 * 10**9, "rate": 2e7, "eta_s": 50.0}
downloads.last.take({"type": "progress", "id": downloads.last.id, **far})
told("running")
addon.tell(second_while_running=addon.part("ui.operators.download").DREAMFUSION_OT_download_model.poll(bpy.context))
downloads.fail(Trouble("model.gated", "It asks.", "No token was given (HF_TOKEN).", "Set HF_TOKEN to a token."))
told("failed")
downloads.ask("a/small")
bpy.ops.dreamfusion.stop_download()
told("stopped")
downloads.ask("a/small")
downloads.last.state = "done"
told("done")
here.missing = None
download = addon.part("ui.operators.download").DREAMFUSION_OT_download_model
online_now = addon.part("ui.settings.online")
really, allowed = online_now.online, {}
for online in (False, True):
    online_now.online = lambda: online
    allowed[online] = download.poll(bpy.context)
online_now.online = really
addon.tell(offline=allowed[False], online=allowed[True])
here.queue._host.models = [{"name": "starter"}, line("a/small", "downloaded", "tight")]
mine = preferences.models.add()
mine.path, mine.base = "/models/mine.safetensors", " owner/base "
told("file")
settings = bpy.context.scene.dreamfusion
settings.prompt, settings.model = "a mug", mine.path
recipe = addon.part("ui.run.enqueue").recipe
with_base = recipe(bpy.context).settings_message()
settings.model = "starter"
addon.tell(with_base=with_base, without=recipe(bpy.context).settings_message())
preferences.models.clear()
addon.tell(items=[list(item[:4]) for item in addon.part("ui.settings.models").items(None, None)])
"""


def test_models_are_offered_fetched_and_chosen(blender: Session) -> None:
    said = blender.run(SCRIPT).facts
    assert "dreamfusion.download_model" not in said["nothing_known"]["operators"]
    assert "DREAMFUSION_AP_preferences.show_offer" in said["folded"]["properties"]
    assert "dreamfusion.download_model" not in said["folded"]["operators"]
    offered = said["offered"]
    texts, words = " | ".join(offered["texts"]), " ".join(offered["texts"])
    assert "A/Small" in texts and "2.1 GB, takes 11.6 GiB, fits" in words and "too large for this machine" in words
    assert "e/bare" in texts and "D/Gone" not in texts
    assert offered["operators"].count("dreamfusion.download_model") == 4 and "wm.url_open" in offered["operators"]
    assert "a/small: Waiting for the engine..." in said["waiting"]["texts"]
    assert "a/small: 1.0 of 2.0 GB, 20 MB/s, 0:50 left" in said["running"]["texts"]
    assert "dreamfusion.stop_download" in said["running"]["operators"] and said["second_while_running"] is False
    assert (said["offline"], said["online"]) == (False, True)
    failed = " ".join(said["failed"]["texts"])
    assert "It asks." in failed and "accept the licence" in failed and "Set HF_TOKEN" not in failed
    assert "goes on from there" in " ".join(said["stopped"]["texts"])
    assert "is here" in " ".join(said["done"]["texts"])
    assert "DREAMFUSION_PG_model.base" in said["file"]["properties"]
    assert "DREAMFUSION_PG_model.base" not in said["done"]["properties"]
    assert said["with_base"]["base"] == "owner/base" and "base" not in said["without"]
    items = {item[0]: item for item in said["items"]}
    assert items["starter"][1:] == ["Starter (Built In)", "Comes with the engine", "MESH_MONKEY"]
    assert items["a/small"][1] == "A/Small (2.1 GB)" and "just fits" in items["a/small"][2]
