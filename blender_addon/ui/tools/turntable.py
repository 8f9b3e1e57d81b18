"""Turntable: a camera and three lights on an empty that goes round the object once, in a collection of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.types import Collection, Context, Object
from mathutils import Vector

from ...core.file_name import file_name

_NAME_BYTES = 48  # of the object's name; " Turntable" and Blender's .001 come after it
_ROOM = 1.15  # the object is at least this much smaller than the picture
_WATTS = 14.0  # of the key light for an object of radius 1; light falls with the square of the distance
# Lights: name, azimuth from the camera, elevation, share of the key light's power. Degrees.
_LIGHTS = (("Key", 45.0, 40.0, 1.0), ("Fill", -55.0, 15.0, 0.4), ("Rim", 170.0, 45.0, 0.8))


@dataclass(frozen=True)
class Orbit:
    """The way of the camera.

    frames: int, of one turn.
    elevation: float, of the camera, radians.
    lens: float, focal length in mm.
    """

    frames: int = 120
    elevation: float = math.radians(15.0)
    lens: float = 50.0


def build(context: Context, obj: Object, orbit: Orbit) -> Collection:
    """Make the rig round the object and return its collection. It turns counter-clockwise seen from above.

    orbit: Orbit of the camera.

    The rig stays where the object is now. The camera begins in front, at -Y. The scene's settings do not change.
    """
    middle, across, up = _cylinder(obj)
    radius = math.hypot(across, up)
    name = file_name(obj.name, _NAME_BYTES)
    collection = bpy.data.collections.new(f"{name} Turntable")
    context.scene.collection.children.link(collection)
    pivot = _add(collection, collection.name, None, None)
    pivot.location = middle
    pivot.empty_display_size = radius
    camera = bpy.data.cameras.new(collection.name)
    camera.lens = orbit.lens
    distance = _distance(across, up, orbit.elevation, *_angles(context, camera))
    camera.clip_start, camera.clip_end = 0.01 * distance, 10.0 * distance
    _aim(_add(collection, camera.name, camera, pivot), 0.0, orbit.elevation, distance)
    for role, azimuth, elevation, share in _LIGHTS:
        light = bpy.data.lights.new(f"{name} {role}", "AREA")
        light.energy = _WATTS * share * (3.0 * radius) ** 2
        light.size = 2.0 * radius
        _aim(_add(collection, light.name, light, pivot), math.radians(azimuth), math.radians(elevation), 3.0 * radius)
    _turn(pivot, context.scene.frame_start, orbit.frames)
    return collection


def use(context: Context, collection: Collection, orbit: Orbit) -> None:
    """Set the scene to render by the rig: with its camera, and the frames of one turn."""
    scene = context.scene
    scene.camera = next(obj for obj in collection.objects if obj.type == "CAMERA")
    scene.frame_end = scene.frame_start + orbit.frames - 1
    scene.frame_set(scene.frame_start)


def _cylinder(obj: Object) -> tuple[Vector, float, float]:
    """An upright cylinder that holds the object in the world: its middle, radius and half height."""
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    middle = sum(corners, Vector()) / len(corners)
    across = max((corner - middle).xy.length for corner in corners)
    return middle, max(across, 1e-4), max(max(abs(corner.z - middle.z) for corner in corners), 1e-4)


def _distance(across: float, up: float, elevation: float, wide: float, high: float) -> float:
    """The distance from which a camera sees the whole cylinder.

    across, up: float, its radius and half height.
    elevation: float, of the camera, radians.
    wide, high: float, the camera's angles of view, radians.
    """
    sine, cosine = abs(math.sin(elevation)), math.cos(elevation)
    tall, near = up * cosine + across * sine, across * cosine + up * sine  # half its height in the picture, its nearest
    return near + _ROOM * max(across / math.tan(0.5 * wide), tall / math.tan(0.5 * high))


def _angles(context: Context, camera: Any) -> tuple[float, float]:
    """The camera's angles of view, across and up, for the scene's picture."""
    render = context.scene.render
    width = render.resolution_x * render.pixel_aspect_x
    height = render.resolution_y * render.pixel_aspect_y
    longest = max(width, height)
    half = math.tan(0.5 * camera.angle)
    return 2.0 * math.atan(half * width / longest), 2.0 * math.atan(half * height / longest)


def _add(collection: Collection, name: str, data: Any, parent: Object | None) -> Object:
    obj = bpy.data.objects.new(name, data)
    obj.parent = parent
    collection.objects.link(obj)
    return obj


def _aim(obj: Object, azimuth: float, elevation: float, distance: float) -> None:
    """Put the object at a distance from its parent, looking at it. azimuth 0 is at -Y."""
    away = Vector(
        (
            math.sin(azimuth) * math.cos(elevation),
            -math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )
    obj.location = away * distance
    obj.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()


def _turn(pivot: Object, start: int, frames: int) -> None:
    """Animate one even turn. The frame after the last would equal the first."""
    for frame, angle in ((start, 0.0), (start + frames, 2.0 * math.pi)):
        pivot.rotation_euler[2] = angle
        pivot.keyframe_insert("rotation_euler", index=2, frame=frame)
    pivot.rotation_euler[2] = 0.0
    for curve in _curves(pivot):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def _curves(obj: Object) -> Iterator[Any]:
    """The animation curves of the object's action. Since Blender 5.0 they are only in layers."""
    action = obj.animation_data.action
    if hasattr(action, "fcurves"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves
