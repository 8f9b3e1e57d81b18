"""LoRAs and words in the sidebar: listed, sent, kept in the .blend and on the object, in every Blender."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from addon.blenders import Session
from reference.paper_model import paper_tensors

from dreamfusion_engine.config import presets as config

PAINTER = {"name": "owner/painter", "title": "Painter", "adapters": ["lora", "embeddings"]}
SPEAKER = {"name": "owner/speaker", "title": "Speaker", "adapters": ["lora"]}
MODELS = json.dumps([{"name": "starter", "adapters": []}, PAINTER, SPEAKER])
HEAD = """
import sys, addon, bpy, os, json
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pathlib import Path
from pumping import Run
from recording_layout import draw
run = Run()
settings = run.settings
folder = Path(os.environ["FOLDER"])
enqueue = addon.part("ui.run.enqueue")

def add(*names):
    for name in names:
        bpy.ops.dreamfusion.add_adapter(filepath=str(folder / name))

def greet():
    run.session.queue.start_engine()
    run.until(lambda: run.session.queue.engine_state == "ready", "the engine")
    run.ticks(0.1)

def sent():
    return enqueue.recipe(bpy.context, "a mug").settings.get("adapters")

def main():
    drawn = draw(bpy.types.DREAMFUSION_PT_main)
    return {"texts": drawn.texts(), "text": " ".join(drawn.texts()), "operators": drawn.operators()}
"""


def files(folder: Path) -> Path:
    """A LoRA, another, a word, a nameless word, and what is neither; the folder."""
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    lora = paper_tensors({f"{layer}.lora_down.weight": (4, 32), f"{layer}.lora_up.weight": (32, 4)})
    made = {
        "clay.safetensors": lora,
        "gold.safetensors": lora,
        "mug-v2.safetensors": paper_tensors({"<my-mug>": (2, 32)}),
        "jug.safetensors": paper_tensors({"emb_params": (1, 32)}),
        "cut.safetensors": lora[:20],
        "old.pt": b"PK\x03\x04",
    }
    folder.mkdir(exist_ok=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return folder


def run(blender: Session, script: str, **variables: Any) -> dict[str, Any]:
    folder = files(blender.folder / "files")
    return blender.run(HEAD + script, DREAMFUSION_FAKE_MODELS=MODELS, FOLDER=str(folder), **variables).facts


LISTED = """
greet()
settings.model = "owner/painter"
settings.prompt = "a mug"
add("clay.safetensors", "gold.safetensors", "mug-v2.safetensors", "jug.safetensors", "clay.safetensors")
mine = settings.adapters
mine.loras[0].weight, mine.loras[1].use = 0.8, False
first = {"sent": sent(), "main": main(), "words": [line.word for line in mine.words]}
wrong = []
for name in ("cut.safetensors", "old.pt", "absent.safetensors"):
    try:
        wrong.append(sorted(bpy.ops.dreamfusion.add_adapter(filepath=str(folder / name))))
    except RuntimeError as error:
        wrong.append(str(error))
addon.part("ui.settings.preferences").of().engine = "python"  # of this machine, so the file must be there
try:
    bpy.ops.dreamfusion.add_adapter(filepath=str(folder / "absent.safetensors"))
except RuntimeError as error:
    wrong.append(str(error))
counts = [len(mine.loras), len(mine.words)]
settings.prompt = "a <MY-MUG> beside a jug"
said = main()["text"]
bpy.ops.dreamfusion.remove_adapter(kind="loras", index=0)
bpy.ops.dreamfusion.remove_adapter(kind="words", index=1)
bpy.ops.dreamfusion.remove_adapter(kind="words", index=9)
left = [[line.file for line in mine.loras], [line.word for line in mine.words]]
addon.tell(first=first, wrong=wrong, counts=counts, said=said, left=left)
"""


def test_files_are_listed_by_what_they_are_and_sent_with_a_job(blender: Session) -> None:
    facts = run(blender, LISTED)
    folder = blender.folder / "files"
    first = facts["first"]
    lora, words = str(folder / "clay.safetensors"), [str(folder / f"{name}.safetensors") for name in ("mug-v2", "jug")]
    assert first["sent"] == {"lora": [[lora, 0.8]], "embeddings": words}
    assert config.preset("draft", "a mug", {"adapters": first["sent"]}).adapters.lora == ((lora, 0.8),)
    assert first["words"] == ["<my-mug>", "jug"] and "<my-mug>" in first["main"]["texts"]
    assert "The prompt does not say <my-mug>, jug" in first["main"]["text"] and "does not say" not in facts["said"]
    assert facts["counts"][1] == 2
    assert "no whole .safetensors file" in facts["wrong"][0] and "pickle" in facts["wrong"][1]
    assert "cannot be read" in facts["wrong"][3], "on this machine it has to be there"
    assert facts["left"][1] == ["<my-mug>"] and str(folder / "gold.safetensors") in facts["left"][0]


TAKEN = """
greet()
poll = bpy.ops.dreamfusion.add_adapter.poll
def state(model):
    settings.model = model
    return {"poll": poll(), "sent": sent(), **main()}

empty = state("starter")
settings.model = "owner/painter"
add("clay.safetensors", "jug.safetensors")
addon.tell(empty=empty, starter=state("starter"), speaker=state("owner/speaker"), unknown=state("/models/mine"))
"""


def test_a_model_that_takes_none_keeps_the_list_and_leaves_it_out(blender: Session) -> None:
    facts = run(blender, TAKEN)
    empty, starter, speaker = facts["empty"], facts["starter"], facts["speaker"]
    assert not empty["poll"] and empty["sent"] is None and "left out" not in empty["text"]
    assert starter["sent"] is None and "The starter model takes no LoRAs or words: what" in starter["text"]
    assert list(speaker["sent"]) == ["lora"] and "Speaker takes no words" in speaker["text"] and speaker["poll"]
    assert list(facts["unknown"]["sent"]) == ["lora", "embeddings"], "the engine has to say"


KEPT = """
greet()
settings.model = "owner/painter"
path = str(folder / "scene.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.context.preferences.filepaths.use_relative_paths = True
add("clay.safetensors", "mug-v2.safetensors")
run.settings.adapters.loras[0].weight = 0.6
stored = [line.file for line in [*run.settings.adapters.loras, *run.settings.adapters.words]]
before = sent()
bpy.ops.wm.save_mainfile()
bpy.ops.wm.read_homefile(use_empty=True)
run.prepare()
fresh = sent()
bpy.ops.wm.open_mainfile(filepath=path)
after = sent()
bpy.ops.wm.read_homefile(use_empty=True)
run.settings.model = "owner/painter"
line = run.settings.adapters.loras.add()
line.file = "//loras/clay.safetensors"
jobs = len(run.jobs)
try:
    run.settings.prompt = "a mug"
    unsaved = sorted(bpy.ops.dreamfusion.generate())
except RuntimeError as error:
    unsaved = str(error)
addon.tell(stored=stored, before=before, fresh=fresh, after=after, unsaved=unsaved, queued=len(run.jobs) - jobs)
"""


def test_the_list_is_saved_with_the_file_and_relative_paths_are_the_blends(blender: Session) -> None:
    facts = run(blender, KEPT)
    folder = blender.folder / "files"
    assert facts["stored"] == ["//clay.safetensors", "//mug-v2.safetensors"]
    wanted = {"lora": [[str(folder / "clay.safetensors"), 0.6]], "embeddings": [str(folder / "mug-v2.safetensors")]}
    assert facts["before"] == facts["after"] == wanted and facts["fresh"] is None
    assert "was never saved" in facts["unsaved"] and facts["queued"] == 0


AGAIN = """
greet()
settings.model = "owner/painter"
add("clay.safetensors", "mug-v2.safetensors")
settings.adapters.loras[0].weight = 0.7
job = run.generate("a <my-mug>")
run.until(run.inserted(job), "an object")
asked = json.loads((job.folder / "result.json").read_text())["settings"]["adapters"]
obj = bpy.context.view_layer.objects.active
panel = draw(bpy.types.DREAMFUSION_PT_object).texts()
settings.adapters.loras.clear()
settings.adapters.words.clear()
bpy.ops.dreamfusion.variation()
again = run.jobs[-1].recipe.settings["adapters"]
run.until(run.inserted(run.jobs[-1]), "another")
bpy.ops.dreamfusion.use_settings(job_id=job.id)
copied = sent()
preferences = addon.part("ui.settings.preferences").of()
preferences.engine, preferences.python = "python", addon.ENGINE_PYTHON
(folder / "clay.safetensors").rename(folder / "moved.safetensors")
jobs = len(run.jobs)
told = []
for operator in ("generate", "regenerate"):
    bpy.context.view_layer.objects.active = obj
    try:
        told.append(sorted(getattr(bpy.ops.dreamfusion, operator)()))
    except RuntimeError as error:
        told.append(str(error))
trouble = main()
kept = [line.file for line in run.settings.adapters.loras]
bpy.ops.dreamfusion.change_adapter(kind="loras", index=0, filepath=str(folder / "moved.safetensors"))
mended = sent()
addon.tell(asked=asked, panel=panel, again=again, copied=copied, told=told, trouble=trouble["text"],
           queued=len(run.jobs) - jobs, kept=kept, mended=mended)
"""


def test_an_objects_recipe_has_them_and_what_is_missing_is_told_before_anything_is_queued(blender: Session) -> None:
    facts = run(blender, AGAIN)
    folder = blender.folder / "files"
    lora, word = str(folder / "clay.safetensors"), str(folder / "mug-v2.safetensors")
    asked = {"lora": [[lora, 0.7]], "embeddings": [word]}
    assert facts["asked"] == facts["again"] == facts["copied"] == asked
    assert {"clay, 0.7", "mug-v2"} <= set(facts["panel"])
    assert all(f"There is no file {lora}" in text for text in facts["told"]) and facts["queued"] == 0
    assert "The file of 'clay' is not there." in facts["trouble"] and "switch it off" in facts["trouble"]
    assert facts["kept"] == [lora] and facts["mended"]["lora"] == [[str(folder / "moved.safetensors"), 0.7]]


LIMITS = """
weight = addon.part("ui.settings.adapter_settings").DREAMFUSION_PG_lora.bl_rna.properties["weight"]
strange = {"adapters": {"lora": [["a", 1e9], ["b"], 3, ["c", "x"], ["", 1.0], ["d", 0.5]], "embeddings": [3, "", "e"]}}
addon.part("ui.settings.adapter_settings").put(settings, strange)
mine = settings.adapters
got = [[(line.file, line.weight) for line in mine.loras], [line.file for line in mine.words]]
addon.part("ui.settings.adapter_settings").put(settings, {"adapters": "x"})
addon.tell(low=weight.hard_min, high=weight.hard_max, got=got, none=[len(mine.loras), len(mine.words)])
"""


def test_weights_are_the_engines_and_a_strange_recipe_harms_nothing(newest_blender: Session) -> None:
    facts = run(newest_blender, LIMITS)
    for end in (facts["low"], facts["high"]):
        assert config.preset("draft", "a mug", {"adapters": {"lora": [["a", end]]}}).adapters.lora == (("a", end),)
    assert facts["got"] == [[["d", 0.5]], ["e"]] and facts["none"] == [0, 0]


PRESET = """
greet()
settings.model = "owner/painter"
add("clay.safetensors", "gold.safetensors", "mug-v2.safetensors")
mine = settings.adapters
mine.loras[0].weight, mine.loras[1].use = 0.8, False
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "one.blend"))
mine.loras[0].file = "//clay.safetensors"
bpy.ops.dreamfusion.add_preset(name="With Clay")
places = bpy.utils.preset_paths("dreamfusion")
saved = next(Path(place) / name for place in places for name in os.listdir(place) if name.endswith(".py"))

def lists():
    return {"loras": [[line.file, round(line.weight, 4), line.use] for line in mine.loras],
            "words": [[line.file, line.word, line.use] for line in mine.words]}

def chosen(path):
    bpy.ops.script.execute_preset(filepath=str(path), menu_idname="DREAMFUSION_PT_presets")
    return lists()

mine.loras.clear(), mine.words.clear()
add("gold.safetensors")
text = saved.read_text()
older = saved.with_name("Older.py")
older.write_text("".join(line for line in text.splitlines(True) if "adapters" not in line))
kept = [line for line in text.splitlines() if "adapters" in line]
damaged = saved.with_name("Damaged.py")
damaged.write_text(text.replace(kept[0], "settings.adapters.kept = '[1'"))
facts = {"older": chosen(older), "damaged": chosen(damaged), "new": chosen(saved), "lines": len(kept)}
mine.loras.clear(), mine.words.clear()
bpy.ops.dreamfusion.add_preset(name="Plain")
add("gold.safetensors")
facts["plain"] = chosen(saved.with_name("Plain.py"))
addon.tell(**facts)
"""


def test_a_saved_preset_keeps_loras_and_words_and_one_of_before_leaves_them(blender: Session) -> None:
    facts = run(blender, PRESET)
    folder = blender.folder / "files"
    clay, gold, mug = (str(folder / f"{name}.safetensors") for name in ("clay", "gold", "mug-v2"))
    assert facts["older"] == facts["damaged"] == {"loras": [["//gold.safetensors", 1.0, True]], "words": []}
    assert facts["new"] == {"loras": [[clay, 0.8, True], [gold, 1.0, False]], "words": [[mug, "<my-mug>", True]]}
    assert facts["lines"] == 1 and facts["plain"] == {"loras": [], "words": []}
