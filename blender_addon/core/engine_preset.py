"""What Draft, Standard and High mean, and the scene's settings as the engine's JSON. No bpy.

These are the plain presets; a model's recipe lies over them (`model_recipe`). The engine's presets also change settings
that the sidebar does not show. The add-on sends only what the artist changed, so the engine keeps those.
"""

from __future__ import annotations

from typing import Any

STAGES = ("guidance", "camera", "optimize", "mesh", "memory")
PRESETS = ("draft", "standard", "high")
STANDARD: dict[str, dict[str, Any]] = {
    "guidance": {
        "scale": 7.0,
        "scale_kept": 0.2,
        "rescale": 0.6,
        "t_max": (0.98, 0.3),
        "t_min": (0.5, 0.02),
        "anneal_until": 0.7,
        "annealing": "linear",
        "weighting": "uniform",
        "score": "sds",
        "view_prompts": "nearest",
        "perp_neg": "auto",
    },
    "camera": {
        "distance": (3.0, 3.5),
        "fov_deg": (36.0, 42.0),
        "elevation_deg": (-10.0, 80.0),
        "target_jitter": 0.02,
    },
    "optimize": {
        "steps": 1200,
        "views": 2,
        "resolution": (32, 48),
        "learning_rate": 0.015,
        "albedo_until": 0.2,
        "textureless": 0.2,
        "orientation": 0.1,
        "smoothness": 0.04,
        "opacity": 0.012,
        "entropy": 1.2,
        "levels_until": 0.3,
        "gradient_clip": 1.0,
    },
    "mesh": {
        "resolution": 160,
        "iso": "auto",
        "smoothing": 20,
        "triangles": 20_000,
        "min_part": 0.01,
        "texture": 1024,
        "padding": 8,
        "unwrap_seconds": 40.0,
    },
    "memory": {
        "fit": True,
        "precision": "auto",
    },
}
_CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "draft": {"optimize": {"steps": 500}, "mesh": {"resolution": 128, "triangles": 10_000, "unwrap_seconds": 20.0}},
    "standard": {},
    "high": {
        "optimize": {"steps": 2500, "views": 4},
        "mesh": {"resolution": 256, "triangles": 50_000, "texture": 2048, "unwrap_seconds": 120.0},
    },
}
# Settings that some preset changes.
ALL = tuple((stage, key) for stage, keys in STANDARD.items() for key in keys)
OF_PRESETS = tuple(sorted({(s, k) for change in _CHANGES.values() for s, keys in change.items() for k in keys}))


def preset_value(preset: str, stage: str, key: str) -> Any:
    """The value of one setting in a preset.

    preset: str, 'draft', 'standard' or 'high'.
    stage, key: str, such as 'optimize' and 'steps'.
    Raises KeyError for a name that does not exist.
    """
    return _CHANGES[preset].get(stage, {}).get(key, STANDARD[stage][key])


def read(settings: Any) -> dict[str, dict[str, Any]]:
    """Every setting of the groups as plain values, nested by stage.

    settings: `scene.dreamfusion`.
    """
    return {stage: {key: read_one(settings, stage, key) for key in STANDARD[stage]} for stage in STAGES}


def read_one(settings: Any, stage: str, key: str) -> Any:
    """One setting of the groups as a plain value.

    settings: `scene.dreamfusion`.
    stage, key: str, such as 'optimize' and 'steps'.
    Raises AttributeError for a setting that does not exist.
    """
    group = getattr(settings, stage)
    if (stage, key) == ("mesh", "iso"):
        return "auto" if group.iso_auto else _rounded(group.iso)
    if (stage, key) == ("mesh", "texture"):
        return int(group.texture)
    value = getattr(group, key)
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _rounded(value)
    return [_rounded(item) if isinstance(item, float) else int(item) for item in value]


def write_one(settings: Any, stage: str, key: str, value: Any) -> None:
    """Set one property from the engine's value.

    settings: `scene.dreamfusion`.
    stage, key: str, such as 'optimize' and 'steps'.
    value: as the engine has it.
    Raises AttributeError for a setting that does not exist, and TypeError for a value of the wrong kind.
    """
    group = getattr(settings, stage)
    if (stage, key) == ("mesh", "iso"):
        group.iso_auto = value == "auto"
        if value != "auto":
            group.iso = value
    elif (stage, key) == ("mesh", "texture"):
        group.texture = str(value)
    else:
        setattr(group, key, value)


def same(one: Any, other: Any) -> bool:
    """Whether two settings are equal, apart from the rounding of Blender's 32-bit floats."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) or isinstance(other, float):
        if isinstance(one, str) or isinstance(other, str):
            return False
        return abs(one - other) <= 1e-6 * max(1e-3, abs(one), abs(other))
    return bool(one == other)


def _rounded(value: float) -> float:
    """A 32-bit float as the short decimal that the artist typed: 0.015, not 0.01499999966472387."""
    return float(f"{value:.6g}")
