"""Textures through Blender's own exporters and importers, and the file names that come of prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from addon.blenders import Outcome, Session
from addon.scene.shapes import body

from dreamfusion_engine.mesh.export import write_glb

SCRIPT = Path(__file__).with_name("scripts") / "exports.py"
PROMPTS = ("a red/blue mug #1 [50%] & it's {x}", '../../../evil mug: "x" <y>? con|*')
TARGET = "project/scenes/mugs"
WITH_TEXTURES = ("fbx", "fbx new", "glb", "gltf", "usd")  # carry or write what is packed
BY_FILE = ("obj", "fbx copies")  # name or copy a file that has to be there


@pytest.fixture(scope="module")
def glbs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two results of the engine: the same body, red and blue exchanged in its texture."""
    folder, mesh = tmp_path_factory.mktemp("results"), body()
    paths = [folder / "one.glb", folder / "two.glb"]
    write_glb(mesh, paths[0], name="one")
    write_glb(replace(mesh, texture=mesh.texture[:, :, ::-1].copy()), paths[1], name="two")
    return paths


def exported(blender: Session, state: str, formats: tuple[str, ...], glbs: list[Path]) -> Outcome:
    """Insert both, export, import; see the script."""
    pairs = [word for glb, prompt in zip(glbs, PROMPTS, strict=True) for word in (str(glb), prompt)]
    return blender.run(SCRIPT, str(blender.folder), state, ",".join(formats), *pairs, timeout=300)


def test_every_object_has_its_own_texture_after_export_and_import(blender: Session, glbs: list[Path]) -> None:
    facts = exported(blender, "unsaved", (*WITH_TEXTURES, "obj"), glbs).facts
    assert facts["names"] == ["Red/blue mug #1 [50%] & it's {x}", PROMPTS[1]]  # as typed
    assert facts["packed"] == [True, True] and facts["before"] == []  # nothing is written without being asked for
    assert facts["datas"] == [["Red-blue mug-1-50-& it's-x"] * 3, ["evil mug-x-y-con"] * 3]
    assert len(set(facts["paths"])) == 2 and all(path.startswith("//textures/") for path in facts["paths"])
    formats = facts["formats"]
    wanted = {"fbx", "obj"} | (set(WITH_TEXTURES[2:]) if blender.blender.is_module else set())
    wanted |= {"fbx new"} if blender.series in ("4.5", "5.0", "5.2") else set()
    assert set(formats) >= wanted
    for name, said in formats.items():
        assert "error" not in said, (name, said)
        assert all(file.startswith(f"{TARGET}/{name.replace(' ', '_')}/") for file in said["files"]), name
        if name != "obj":
            assert said["differences"] == [0.0, 0.0], name
    # An OBJ names a file beside it, and cannot carry one.
    assert formats["obj"]["images"] == [path.rpartition("/")[2] for path in facts["paths"]]


def test_unpacked_textures_go_along_where_the_format_names_files(blender: Session, glbs: list[Path]) -> None:
    facts = exported(blender, "unpacked", BY_FILE, glbs).facts
    names = [path.rpartition("/")[2] for path in facts["paths"]]
    assert facts["packed"] == [False, False]
    assert facts["before"] == sorted([f"{TARGET}/mugs.blend", *(f"{TARGET}/textures/{name}" for name in names)])
    for name in BY_FILE:
        said = facts["formats"][name]
        assert said["differences"] == [0.0, 0.0], name
        assert sum(file.rpartition("/")[2] in names for file in said["files"]) == 2, said["files"]


SAME_NAME = Path(__file__).with_name("scripts") / "material_same_name.py"


def test_the_same_prompt_in_two_files_has_two_paths(newest_blender: Session, glbs: list[Path]) -> None:
    """Such as two assets that are brought into one scene."""
    (one, path), (two, other) = newest_blender.run(SAME_NAME, *map(str, glbs)).facts["paths"]
    assert one == two == "Mug" and path != other
