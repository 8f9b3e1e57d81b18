"""A normal map of the engine in real Blenders: its tangents are Blender's, and Cycles shades by it what was reduced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from addon.blenders import Session
from mesh.shapes import icosphere

from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.mesh.export import read_glb, write_glb
from dreamfusion_engine.mesh.normal_map import Detail, bake_normal_map
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.charts import box_charts, packed_without_overlap

SCRIPT = Path(__file__).with_name("scripts") / "surface_maps.py"
SIZE = 256
CPU = torch.device("cpu")


def bumpy(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    """A ball with bumps, of 8 * 4^subdivisions triangles."""
    way, triangles = icosphere(subdivisions)
    return way * (0.7 + 0.03 * np.sin(9.0 * way).prod(-1))[:, None], triangles


@pytest.fixture(scope="module")
def mesh() -> TexturedMesh:
    """512 triangles with the normals of 8192; one half of its charts is mirrored."""
    vertices, triangles = bumpy(3)
    uv = packed_without_overlap(vertices, triangles, *box_charts(vertices, triangles), texture=SIZE, padding=4)[0]
    uv = np.where((vertices[triangles].mean(1)[:, 2] > 0.0)[:, None, None], 0.5 * uv, 0.5 * uv + [0.5, 0.5])
    uv[..., 0] = np.where(uv[..., 1] > 0.5, 1.5 - uv[..., 0], uv[..., 0])
    uv = uv.astype(np.float32)
    normals, owners = vertex_normals(vertices, triangles), texel_owners(uv, SIZE, CPU)
    tangents = corner_tangents(vertices, triangles, normals, uv)
    assert set(np.unique(tangents[..., 3])) == {-1.0, 1.0}
    fine = Detail(vertices=bumpy(5)[0], triangles=bumpy(5)[1])
    return TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=normals.astype(np.float32),
        uv=uv,
        texture=np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8),
        normal_map=bake_normal_map(fine, vertices, triangles, normals, tangents, owners, padding=4, device=CPU),
        occlusion=np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8),
    )


def test_a_normal_map_is_used_as_blender_and_its_exporters_have_it(
    blender: Session, mesh: TexturedMesh, tmp_path: Path
) -> None:
    write_glb(mesh, tmp_path / "mesh.glb", name="ball")
    facts = blender.run(SCRIPT, str(tmp_path / "mesh.glb"), str(tmp_path), timeout=300).facts
    assert facts["node"] == ["NORMAL_MAP", "TANGENT", "UVMap", 1.0] and facts["layers"] == ["UVMap"]
    assert facts["data"] and facts["packed"] and facts["active"] and facts["smooth"]
    assert facts["path"].startswith("//textures/Bumpy ball normals-")
    formats = facts["formats"]
    assert set(formats) >= ({"fbx", "glb"} if blender.blender.is_module else {"fbx"})
    assert all(said == [True, 0.0] for said in formats.values()), formats
    assert facts["bare"] == [True, True]
    assert facts["shade"] == [True, True, 64, 64]
    assert facts.get("exported", True)
    if facts["cycles"]:
        quads = facts["quads"]
        assert (
            quads["new"]
            and quads["layer"]
            and quads["no shade"]
            and 0.8 < quads["blue"] < 1.0
            and quads["uneven"] > 0.2
        )
    # The tangents of the file are those that Blender computes from its own mesh.
    theirs = np.fromfile(tmp_path / "tangents.bin", np.float32).reshape(-1, 3, 4)
    content = read_glb(tmp_path / "mesh.glb")
    assert content.tangents is not None
    ours = content.tangents[content.triangles]
    assert np.array_equal(theirs[..., 3], ours[..., 3])
    assert (theirs[..., :3] * ours[..., :3]).sum(-1).min() > 0.9999
    # What Cycles shades with is what the detailed surface has. (Debian's 3.4 bakes into no image of floats.)
    if facts["cycles"] and blender.blender.is_module:
        shaded = np.fromfile(tmp_path / "shaded.bin", np.float32).reshape(SIZE, SIZE, 4)[::-1, :, :3] * 2.0 - 1.0
        assert mean_angle(shaded, mesh) < 1.5 < 4.0 < mean_angle(None, mesh)


def mean_angle(shaded: np.ndarray | None, mesh: TexturedMesh) -> float:
    """Degrees between the exact normals and those in the texels, or without them those of the reduced surface."""
    face, weights = texel_owners(mesh.uv, SIZE, CPU)
    inside = (face >= 0) & (weights.min(-1) > 0.02)
    corners, w = mesh.triangles[face[inside]], weights[inside].astype(np.float64)
    point, plain = (np.einsum("tc,tci->ti", w, x[corners].astype(np.float64)) for x in (mesh.vertices, mesh.normals))
    way, step = point / np.linalg.norm(point, axis=-1, keepdims=True), 1e-5 * np.eye(3)

    def height(p: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(p, axis=-1)
        return np.asarray(length - 0.7 - 0.03 * np.sin(9.0 * p / length[:, None]).prod(-1))

    surface = way * (0.7 + 0.03 * np.sin(9.0 * way).prod(-1))[:, None]
    exact = np.stack([height(surface + s) - height(surface - s) for s in step], -1)
    found = plain if shaded is None else shaded[inside]
    cosine = (exact * found).sum(-1) / np.linalg.norm(exact, axis=-1) / np.linalg.norm(found, axis=-1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())


def test_a_result_without_a_normal_map_has_no_such_node(
    newest_blender: Session, mesh: TexturedMesh, tmp_path: Path
) -> None:
    write_glb(replace(mesh, normal_map=None, occlusion=None), tmp_path / "mesh.glb")
    script = """
        import sys
        from pathlib import Path
        import addon, bpy
        result, job = addon.part("ui.scene.insert"), addon.part("core.job")
        obj = result.insert(bpy.context, Path(sys.argv[1]), job.Recipe("x"), {})
        nodes = obj.material_slots[0].material.node_tree.nodes
        addon.tell(kinds=sorted(node.type for node in nodes))
    """
    kinds = newest_blender.run(script, str(tmp_path / "mesh.glb")).facts["kinds"]
    assert kinds == ["BSDF_PRINCIPLED", "OUTPUT_MATERIAL", "TEX_IMAGE"]
