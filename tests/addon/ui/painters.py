"""Models with recipes, as the engine tells of them: for the scripted engine and for what the tests expect."""

from __future__ import annotations

from typing import Any

STARTER = {"name": "starter", "recipe": {"name": "Starter", "experimental": False, "settings": {}}}
SETTINGS = {
    "guidance.scale": 100.0,
    "guidance.weighting": "sigma_squared",
    "guidance.t_max": [0.98, 0.5],
    "optimize.resolution": [64, 128],
    "optimize.opacity": 5e-5,
    "camera.elevation_deg": [-10.0, 45.0],
    "field.levels": 16,  # not in the sidebar
}
PAINTER: dict[str, Any] = {
    "name": "owner/painter",
    "title": "Painter",
    "recipe": {
        "name": "Stable Diffusion 1 and 2",
        "experimental": False,
        "settings": {
            "draft": {**SETTINGS, "optimize.steps": 2500},
            "standard": {**SETTINGS, "optimize.steps": 5000},
            "high": {**SETTINGS, "optimize.steps": 10_000, "optimize.resolution": [128, 256]},
        },
        "scores": {"vsd": {"guidance.scale": 7.5, "score.lora_rate": 1e-4}, "nfsd": {"guidance.scale": 7.5}},
    },
    "estimates": {
        "draft": {"seconds": 7200.0, "memory_mib": 3072},
        "standard": {"seconds": 0, "memory_mib": 3584},
        "high": {"seconds": 144_000.0, "memory_mib": 4096},
    },
}
STRANGE: dict[str, Any] = {
    "name": "owner/strange",
    "title": "Strange",
    "size_mb": 6900,
    "recipe": {
        "name": "Strange",
        "experimental": True,
        "settings": {
            "draft": {
                "guidance.scale": 1e6,
                "guidance.rescale": "much",
                "guidance.weighting": "of_the_future",
                "guidance.score": 3,
                "guidance.anneal_until": True,
                "guidance.t_max": [0.1, 0.1],
                "guidance.t_min": [0.5, 0.5],
                "guidance.of_the_future": 1.0,
                "camera.distance": [4.0, 3.0],
                "camera.fov_deg": 40.0,
                "camera.elevation_deg": [1.0, 2.0, 3.0],
                "optimize.steps": 12.5,
                "optimize.views": 0,
                "optimize.resolution": [2**62, 64],
                "optimize.learning_rate": None,
                "optimize.opacity": {"a": 1},
                "mesh.iso": "none",
                "mesh.texture": 1000,
                "memory.fit": 1,
                "scale": 5.0,
                "rna_type.scale": 5.0,
                "guidance.name": "x",
            },
            "standard": ["guidance.scale", 3.0],
            "of_the_future": {"guidance.scale": 3.0},
        },
        "scores": {"vsd": {"guidance.scale": 1e6, "guidance.rescale": None}, "sdi": 3},
    },
    "estimates": {"draft": {"seconds": "soon", "memory_mib": -5}, "standard": 12, "high": {"seconds": True}},
}
MINE = {**PAINTER, "name": "/models/mine", "title": "mine", "state": "given"}
BROKEN = {
    "name": "/models/broken",
    "state": "broken",
    "trouble": {"code": "model.damaged", "what": "The model is damaged.", "why": "It is cut off.", "fix": "Use --x."},
}
MODELS = [STARTER, PAINTER, STRANGE]
