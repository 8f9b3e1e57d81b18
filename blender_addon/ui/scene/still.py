"""One picture of one object, by Cycles, in a scene that is made for it with camera, lights and a floor.

Cycles renders on the CPU, because no other engine of Blender renders without a display.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
from bpy.types import Context, Object, Scene
from mathutils import Vector

LENS = 70.0  # mm: a portrait lens, which does not bend small things
SENSOR = 36.0  # mm
ROOM = 1.18  # of the picture around the object
AZIMUTH, ELEVATION = math.radians(35.0), math.radians(18.0)  # from the front, turned to the right
# Lights: direction to them from the object (x, y, z), watts for an object of size 1, and their size in objects.
LIGHTS = (
    ("Key", (-0.6, -0.9, 1.1), 24.0, 1.0),
    ("Fill", (1.3, -0.7, 0.5), 6.0, 1.5),
    ("Rim", (0.4, 1.2, 1.0), 20.0, 0.8),
)
BACKGROUND = (0.78, 0.80, 0.84, 1.0)


def render(context: Context, obj: Object, path: Path, *, samples: int = 24, size: int = 512) -> None:
    """Render the object to a square PNG. The open scene is left as it was.

    path: Path of the PNG.
    samples: int, a pixel.
    size: int, pixels along a side.
    Raises RuntimeError.
    """
    scene = bpy.data.scenes.new("DreamFusion Still")
    added: list[Object] = []
    try:
        scene.collection.objects.link(obj)
        added = add_studio(scene, obj)
        shoot(scene, path, samples=samples, size=size)
    finally:
        remove(added)
        world = scene.world
        bpy.data.scenes.remove(scene)
        if world is not None and world.users == 0:
            bpy.data.worlds.remove(world)


def shoot(scene: Scene, path: Path, *, samples: int = 24, size: int = 512) -> None:
    """Set up a scene that has a camera for Cycles on the CPU, and render it to a PNG.

    path: Path of the PNG.
    samples: int, a pixel.
    size: int, pixels along a side.
    Raises RuntimeError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    # Debian's Blender comes without the denoiser; told to use it, it renders black.
    scene.cycles.use_denoising = bool(getattr(bpy.app.build_options, "openimagedenoise", False))
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    scene.view_settings.view_transform = "Standard"  # a base colour looks as it was generated
    bpy.ops.render.render(write_still=True, scene=scene.name)


def add_studio(scene: Scene, obj: Object) -> list[Object]:
    """Put a camera that shows the whole object, three lights and a floor into a scene; returns what was added."""
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    low = Vector(min(corner[i] for corner in corners) for i in range(3))
    high = Vector(max(corner[i] for corner in corners) for i in range(3))
    middle, reach = 0.5 * (low + high), 0.5 * (high - low).length
    added = [_camera(scene, middle, corners, reach)]
    scene.camera = added[0]
    for name, toward, watts, width in LIGHTS:
        data = bpy.data.lights.new(f"DreamFusion {name}", "AREA")
        data.energy, data.size = watts * (2.0 * reach) ** 2, width * 2.0 * reach
        light = bpy.data.objects.new(data.name, data)
        light.location = middle + Vector(toward).normalized() * reach * 4.5
        light.rotation_euler = (middle - light.location).to_track_quat("-Z", "Y").to_euler()
        added.append(light)
    added.append(_floor(low.z, middle, reach))
    for one in added:
        scene.collection.objects.link(one)
    world = bpy.data.worlds.new("DreamFusion Studio")
    if not world.use_nodes:
        world.use_nodes = True
    surface = next((node for node in world.node_tree.nodes if node.type == "BACKGROUND"), None)
    if surface is not None:
        surface.inputs["Color"].default_value = BACKGROUND
        surface.inputs["Strength"].default_value = 0.7
    scene.world = world
    return added


def remove(added: list[Object]) -> None:
    """Remove objects with their data."""
    for obj in added:
        data, object_type = obj.data, obj.type
        bpy.data.objects.remove(obj)
        {"CAMERA": bpy.data.cameras, "LIGHT": bpy.data.lights, "MESH": bpy.data.meshes}[object_type].remove(data)


def _camera(scene: Scene, middle: Vector, corners: list[Vector], reach: float) -> Object:
    """A camera that looks at the middle, from the shortest distance at which it sees every corner."""
    data = bpy.data.cameras.new("DreamFusion Camera")
    data.lens, data.sensor_width = LENS, SENSOR
    camera = bpy.data.objects.new(data.name, data)
    back = Vector(
        (
            math.sin(AZIMUTH) * math.cos(ELEVATION),
            -math.cos(AZIMUTH) * math.cos(ELEVATION),
            math.sin(ELEVATION),
        )
    )
    turn = (-back).to_track_quat("-Z", "Y")
    slope = 0.5 * SENSOR / LENS / ROOM  # half the picture's width at distance 1
    distance = reach
    for corner in corners:
        local = turn.inverted() @ (corner - middle)
        distance = max(distance, local.z + max(abs(local.x), abs(local.y)) / slope)
    camera.location = middle + back * distance
    camera.rotation_euler = turn.to_euler()
    data.clip_start, data.clip_end = distance * 0.01, distance * 100.0
    return camera


def _floor(height: float, middle: Vector, reach: float) -> Object:
    """A large floor under the object."""
    mesh = bpy.data.meshes.new("DreamFusion Floor")
    side = 40.0 * reach
    corners = [(-side, -side, 0.0), (side, -side, 0.0), (side, side, 0.0), (-side, side, 0.0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    floor = bpy.data.objects.new(mesh.name, mesh)
    floor.location = (middle.x, middle.y, height)
    floor.is_shadow_catcher = True  # only its shadow is seen, so that there is no horizon
    return floor
