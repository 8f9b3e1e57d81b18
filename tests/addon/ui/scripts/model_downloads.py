"""What the preferences show of the models that can be downloaded."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import Drawn, RecordingLayout

addon.enable()
here = addon.part("ui.run.session").current()
preferences = addon.preferences()
Trouble = addon.part("core.job").Trouble
downloads = here.queue.downloads


def told(name: Any) -> Any:
    drawn = Drawn()
    addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
    addon.tell(**{name: {"texts": drawn.texts(), "operators": drawn.operators(), "properties": drawn.properties()}})


told("nothing_known")


def line(name: Any, state: Any, fit: Any, **more: Any) -> Any:
    return {
        "name": name,
        "title": name.title(),
        "state": state,
        "fit": fit,
        "size_mb": 2132,
        "memory_mib": 11900,
        "license": "openrail",
        "page": "https://hub.example/" + name,
        **more,
    }


here.queue._host.suggestions = [
    line("a/small", "open", "fits"),
    line("b/large", "gated", "too large"),
    line("c/broken", "broken", "unknown", size_mb=0, memory_mib=0),
    line("d/gone", "withdrawn", "fits"),
    {"name": "e/bare"},
]
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
    online_now.online = lambda online=online: online
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
