"""Copies the animation of one object to another: action, drivers, and the strips of the nonlinear animation."""

from __future__ import annotations

from typing import Any

from bpy.types import AnimData, Object

# Of a strip, in an order in which no value changes one before it. The ends come last; from 4.0 on they have names that
# leave scale and repeat alone.
_STRIP = (
    "extrapolation",
    "blend_type",
    "use_auto_blend",
    "blend_in",
    "blend_out",
    "action_slot",
    "action_frame_start",
    "action_frame_end",
    "scale",
    "repeat",
    "mute",
    "use_reverse",
    "influence",
)
_ACTION = ("action_extrapolation", "action_blend_type", "action_influence", "use_nla")


def copy_animation(source: Object, target: Object) -> None:
    """Give the target the source's animation.

    Of the nonlinear animation, strips with actions are copied, but not keyframes on a strip's own influence or time.
    A script cannot make transitions and groups of strips.
    """
    given = source.animation_data
    if given is None:
        return
    taken = target.animation_data_create()
    taken.action = given.action
    if given.action is not None and hasattr(given, "action_slot"):
        taken.action_slot = given.action_slot
    for name in _ACTION:
        setattr(taken, name, getattr(given, name))
    for driver in given.drivers:
        taken.drivers.from_existing(src_driver=driver)
    for track in given.nla_tracks:
        _copy_track(track, taken)


def _copy_track(track: Any, taken: AnimData) -> None:
    last = taken.nla_tracks[-1] if len(taken.nla_tracks) else None
    made = taken.nla_tracks.new(prev=last)
    made.name = track.name
    for strip in track.strips:
        if strip.type != "CLIP" or strip.action is None:
            continue
        copy = made.strips.new(strip.name, int(strip.frame_start), strip.action)
        for name in _STRIP:
            if hasattr(strip, name):
                setattr(copy, name, getattr(strip, name))
        for end in ("frame_end", "frame_start"):
            raw = f"{end}_raw"
            setattr(copy, raw if hasattr(strip, raw) else end, getattr(strip, end))
    made.mute, made.lock = track.mute, track.lock
    if track.is_solo:
        made.is_solo = True
