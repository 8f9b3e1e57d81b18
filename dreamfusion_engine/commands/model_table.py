"""The list of models as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dreamfusion_engine.commands.console import labelled
from dreamfusion_engine.inputs.outside_text import shown

FIT_WORDS = {
    "fits": "fits this machine",
    "tight": "just fits this machine",
    "too large": "more than is free here now",
    "unknown": "",
}


def models_text(here: Sequence[Mapping[str, Any]], to_get: Sequence[Mapping[str, Any]]) -> str:
    """Return both lists as text, one block for each model.

    here, to_get: lines from `ModelLine.to_json`.
    """
    blocks = ["On this machine:", *map(_here, here)]
    if to_get:
        blocks += ["", "To download, with: dreamfusion-engine download NAME", *map(_to_get, to_get)]
    blocks += ["", "Any folder, hub id or .safetensors file of a supported family works as well: --model NAME"]
    return "\n".join(blocks)


def size_text(megabytes: float) -> str:
    """Return megabytes (1e6) as 24 MB or 2.1 GB."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def need_text(line: Mapping[str, Any]) -> str:
    """Return the memory that a run takes, and whether it fits; '' where that is not known."""
    if not line["memory_mib"]:
        return ""
    fit = FIT_WORDS.get(str(line["fit"]), "")
    return f"takes {line['memory_mib'] / 1024:.1f} GiB of memory" + (f", {fit}" if fit else "")


def _mark(line: Mapping[str, Any]) -> str:
    return "experimental" if line.get("recipe", {}).get("experimental") else ""


def _here(line: Mapping[str, Any]) -> str:
    facts = [_mark(line), str(line["state"]), size_text(line["size_mb"]), need_text(line), str(line["license"])]
    text = [f"  {line['name']}", labelled("    ", "; ".join(fact for fact in facts if fact))]
    trouble = line["trouble"]
    if trouble:
        text.append(labelled("     why:", f"{trouble['what']} {trouble['why']}"))
        text.append(labelled("     fix:", trouble["fix"]))
    if line["note"]:
        text.append(labelled("    ", line["note"]))
    parts = [phrase.replace("{}", "...") for phrase in line.get("parts", ())]
    for name, words in (("kinds", line.get("kinds")), ("colours", line.get("colours")), ("parts", parts)):
        if words:
            text.append(labelled(f"     {name + ':':<9}", ", ".join(words)))
    if line.get("examples"):
        text.append(labelled("     examples:", ", ".join(line["examples"])))
    if line.get("picture"):
        text.append(f"     picture: {shown(line['picture'], 4096)}")
    return "\n".join(text)


def _to_get(line: Mapping[str, Any]) -> str:
    if line["state"] == "withdrawn":
        return f"  {line['name']}\n" + labelled("    ", f"withdrawn from the hub; its copy: {line['instead']}")
    licence = f"licence {line['license']}"
    if line["state"] == "gated":
        licence += f", to be accepted at {line['page']}, then with HF_TOKEN"
    facts = [str(line["title"]), _mark(line), size_text(line["size_mb"]), need_text(line), licence]
    text = [f"  {line['name']}", labelled("    ", "; ".join(fact for fact in facts if fact))]
    if line["note"]:
        text.append(labelled("    ", line["note"]))
    return "\n".join(text)
