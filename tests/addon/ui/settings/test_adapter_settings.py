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
SCRIPTS = Path(__file__).parents[1] / "scripts"


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
    return blender.run(
        SCRIPTS / f"adapter_settings_{script}.py", DREAMFUSION_FAKE_MODELS=MODELS, FOLDER=str(folder), **variables
    ).facts


def test_files_are_listed_by_what_they_are_and_sent_with_a_job(blender: Session) -> None:
    facts = run(blender, "listed")
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


def test_a_model_that_takes_none_keeps_the_list_and_leaves_it_out(blender: Session) -> None:
    facts = run(blender, "taken")
    empty, starter, speaker = facts["empty"], facts["starter"], facts["speaker"]
    assert not empty["poll"] and empty["sent"] is None and "left out" not in empty["text"]
    assert starter["sent"] is None and "The starter model takes no LoRAs or words: what" in starter["text"]
    assert list(speaker["sent"]) == ["lora"] and "Speaker takes no words" in speaker["text"] and speaker["poll"]
    assert list(facts["unknown"]["sent"]) == ["lora", "embeddings"], "the engine has to say"


def test_the_list_is_saved_with_the_file_and_relative_paths_are_the_blends(blender: Session) -> None:
    facts = run(blender, "kept")
    folder = blender.folder / "files"
    assert facts["stored"] == ["//clay.safetensors", "//mug-v2.safetensors"]
    wanted = {"lora": [[str(folder / "clay.safetensors"), 0.6]], "embeddings": [str(folder / "mug-v2.safetensors")]}
    assert facts["before"] == facts["after"] == wanted and facts["fresh"] is None
    assert "was never saved" in facts["unsaved"] and facts["queued"] == 0


def test_an_objects_recipe_has_them_and_what_is_missing_is_told_before_anything_is_queued(blender: Session) -> None:
    facts = run(blender, "again")
    folder = blender.folder / "files"
    lora, word = str(folder / "clay.safetensors"), str(folder / "mug-v2.safetensors")
    asked = {"lora": [[lora, 0.7]], "embeddings": [word]}
    assert facts["asked"] == facts["again"] == facts["copied"] == asked
    assert {"clay, 0.7", "mug-v2"} <= set(facts["panel"])
    assert all(f"There is no file {lora}" in text for text in facts["told"]) and facts["queued"] == 0
    assert "The file of 'clay' is not there." in facts["trouble"] and "switch it off" in facts["trouble"]
    assert facts["kept"] == [lora] and facts["mended"]["lora"] == [[str(folder / "moved.safetensors"), 0.7]]


def test_weights_are_the_engines_and_a_strange_recipe_harms_nothing(newest_blender: Session) -> None:
    facts = run(newest_blender, "limits")
    for end in (facts["low"], facts["high"]):
        assert config.preset("draft", "a mug", {"adapters": {"lora": [["a", end]]}}).adapters.lora == (("a", end),)
    assert facts["got"] == [[["d", 0.5]], ["e"]] and facts["none"] == [0, 0]


def test_a_saved_preset_keeps_loras_and_words_and_one_of_before_leaves_them(blender: Session) -> None:
    facts = run(blender, "preset")
    folder = blender.folder / "files"
    clay, gold, mug = (str(folder / f"{name}.safetensors") for name in ("clay", "gold", "mug-v2"))
    assert facts["older"] == facts["damaged"] == {"loras": [["//gold.safetensors", 1.0, True]], "words": []}
    assert facts["new"] == {"loras": [[clay, 0.8, True], [gold, 1.0, False]], "words": [[mug, "<my-mug>", True]]}
    assert facts["lines"] == 1 and facts["plain"] == {"loras": [], "words": []}
