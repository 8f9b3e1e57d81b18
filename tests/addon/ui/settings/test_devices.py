"""The preferences name devices as artists know them, and a job is told of one place or of two."""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).parents[1] / "scripts" / "devices.py"


def test_devices_are_chosen_by_their_titles_and_told_as_the_engine_reads_them(blender: Session) -> None:
    said = blender.run(SCRIPT).facts
    assert said["silent"] == {"device": [["auto", "Automatic"], ["cpu", "Processor (CPU)"]], "why": "", "told": None}
    models, fields = ({name: (label, about) for name, label, about in each} for each in said["lists"])
    assert list(models) == ["auto", "cpu", "cuda:0", "xpu:0"] and list(fields) == ["auto", "cpu", "cuda:0"]
    assert models["auto"][0] == fields["auto"][0] == "Automatic (Processor (CPU))"
    assert models["cuda:0"][0] == "Paper Card 9000, 24 GiB" and "Warp has no such device" in models["xpu:0"][1]
    assert said["asked"] == [
        None,
        *("cuda:0", [True, "cuda:0"]),
        *("teacher=xpu:0,field=cpu", [True, "xpu:0"]),
        *("field=cpu", [True, "auto"]),
        *("cuda:0", [True, "cuda:0"]),
        *("an old card", [True, "an old card"]),
        "cpu",
        None,
    ]
    assert "Automatic is Processor (CPU): torch finds no graphics card" in said["shown"]
