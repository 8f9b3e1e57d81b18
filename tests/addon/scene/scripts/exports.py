"""Insert two results, export them by Blender's own exporters, import each file again and look at every texture.

Arguments: a folder; 'unsaved', or 'unpacked' for a .blend that was saved and whose textures were unpacked; the formats;
twice a GLB and a prompt.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable
from operator import sub
from pathlib import Path
from typing import Any

import addon
import addon_utils
import bpy

result, job = addon.part("ui.scene.insert"), addon.part("core.job")
folder, state, formats = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
GLBS, PROMPTS = sys.argv[4::2], sys.argv[5::2]
DEEP = folder / "project" / "scenes" / "mugs"  # deep enough for a name that climbs out of it


def options(operator: Any, **wanted: Any) -> dict[str, Any]:
    """Those of the settings that this Blender's operator has."""
    known = operator.get_rna_type().properties.keys()
    return {name: value for name, value in wanted.items() if name in known}


def export_fbx(path: Path, embed: bool) -> None:
    bpy.ops.export_scene.fbx(filepath=str(path), path_mode="COPY", embed_textures=embed)


def export_gltf(path: Path, form: str) -> None:
    bpy.ops.export_scene.gltf(filepath=str(path), export_format=form)


def export_usd(path: Path) -> None:
    usd = bpy.ops.wm.usd_export
    usd(filepath=str(path), **options(usd, export_textures=True, export_textures_mode="NEW", export_materials=True))


def import_fbx(path: Path) -> None:
    bpy.ops.import_scene.fbx(filepath=str(path))


def import_fbx_new(path: Path) -> None:
    """The importer that came with 4.5."""
    bpy.ops.wm.fbx_import(filepath=str(path))


def import_usd(path: Path) -> None:
    usd = bpy.ops.wm.usd_import
    usd(filepath=str(path), **options(usd, import_usd_preview=True, import_textures_mode="IMPORT_PACK"))


EXPORTERS: dict[str, tuple[str, Callable[[Path], None], Callable[[Path], None]]] = {
    "fbx": ("mugs.fbx", lambda path: export_fbx(path, True), import_fbx),
    "fbx new": ("mugs.fbx", lambda path: export_fbx(path, True), import_fbx_new),
    "fbx copies": ("mugs.fbx", lambda path: export_fbx(path, False), import_fbx),
    "obj": (
        "mugs.obj",
        lambda path: bpy.ops.wm.obj_export(filepath=str(path), path_mode="COPY"),
        lambda path: bpy.ops.wm.obj_import(filepath=str(path)),
    ),
    "glb": (
        "mugs.glb",
        lambda path: export_gltf(path, "GLB"),
        lambda path: bpy.ops.import_scene.gltf(filepath=str(path)),
    ),
    "gltf": (
        "mugs.gltf",
        lambda path: export_gltf(path, "GLTF_SEPARATE"),
        lambda path: bpy.ops.import_scene.gltf(filepath=str(path)),
    ),
    "usd": ("mugs.usdc", export_usd, import_usd),
}


def has(name: str) -> bool:
    """Whether this Blender can write and read the format."""
    if name in ("glb", "gltf"):
        try:
            import numpy  # noqa: F401  Blender's glTF add-on needs it, and Debian's Blender lacks it
        except ImportError:
            return False
    if name == "usd":
        return bpy.app.build_options.usd
    return name != "fbx new" or "fbx_import" in dir(bpy.ops.wm)


def pixels_of(image: Any) -> array[float]:
    values = array("f", bytes(4 * image.size[0] * image.size[1] * image.channels))
    image.pixels.foreach_get(values)
    return values


def base_image(obj: Any) -> Any:
    """The image behind the base colour of the object's material; None if there is none."""
    for slot in obj.material_slots:
        for node in slot.material.node_tree.nodes if slot.material and slot.material.node_tree else ():
            if node.type == "BSDF_PRINCIPLED":
                waiting = [node.inputs["Base Color"]]
                while waiting:
                    for link in waiting.pop().links:
                        if link.from_node.type == "TEX_IMAGE":
                            return link.from_node.image
                        waiting += list(link.from_node.inputs)
    return None


def difference(image: Any, wanted: array[float]) -> float:
    """Largest difference between two pictures; 9 where they cannot be compared."""
    if image is None or image.size[0] * image.size[1] * image.channels != len(wanted):
        return 9.0
    return max(map(abs, map(sub, pixels_of(image), wanted)))


def place(obj: Any) -> float:
    """Where the object is on the X axis. OBJ keeps places in the vertices."""
    bpy.context.view_layer.update()
    return sum((obj.matrix_world @ vertex.co).x for vertex in obj.data.vertices) / len(obj.data.vertices)


def fill() -> list[Any]:
    """Two objects, side by side."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("io_scene_fbx")
    addon_utils.enable("io_scene_gltf2")
    objects = []
    for number, (glb, prompt) in enumerate(zip(GLBS, PROMPTS, strict=True)):
        bpy.context.scene.cursor.location = (10.0 * number, 0.0, 0.0)
        objects.append(result.insert(bpy.context, Path(glb), job.Recipe(prompt), {}))
    if state == "unpacked":
        DEEP.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(DEEP / "mugs.blend"))
        bpy.ops.file.unpack_all(method="WRITE_LOCAL")
    return objects


def files() -> list[str]:
    """Every file under the test's folder, whose name does not belong to Blender's own folders."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "blender"
    )


os.chdir(folder)
objects = fill()
wanted = [pixels_of(base_image(obj)) for obj in objects]
addon.tell(
    names=[obj.name for obj in objects],
    datas=[[obj.data.name, obj.data.materials[0].name, base_image(obj).name] for obj in objects],
    paths=[base_image(obj).filepath for obj in objects],
    packed=[base_image(obj).packed_file is not None for obj in objects],
    before=files(),
)
said: dict[str, Any] = {}
for name in formats:
    if not has(name):
        continue
    file, write, read = EXPORTERS[name]
    target = DEEP / name.replace(" ", "_") / file
    target.parent.mkdir(parents=True, exist_ok=True)
    fill()
    before = files()
    try:
        write(target)
        made = sorted(set(files()) - set(before))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        addon_utils.enable("io_scene_fbx")
        addon_utils.enable("io_scene_gltf2")
        read(target)
    except RuntimeError as error:
        said[name] = {"error": str(error), "files": sorted(set(files()) - set(before))}
        continue
    found = sorted((obj for obj in bpy.data.objects if obj.type == "MESH"), key=place)
    images = [base_image(obj) for obj in found]
    said[name] = {
        "files": made,
        "objects": [obj.name for obj in found],
        "images": [image.name if image else None for image in images],
        "differences": [difference(image, values) for image, values in zip(images, wanted, strict=True)],
    }
addon.tell(formats=said)
sys.stdout.flush()
os._exit(0)  # bpy 4.2 crashes at its end after its glTF importer
