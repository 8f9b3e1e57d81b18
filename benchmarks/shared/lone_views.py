"""A teacher for benchmarks that ask about single views, in calls that they build themselves."""

from __future__ import annotations

from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, locate_model, open_pipeline


def lone_pipeline(model: str) -> PipelineFolder:
    """Open a model that judges every view alone.

    model: str, as for --model.
    Raises SystemExit for one that judges several together: it would get words for one view, and no cameras.
    """
    pipeline = open_pipeline(locate_model(model))
    family = FAMILIES[pipeline.family]
    if family.views_together > 1:
        raise SystemExit(
            f"{family.title} judges {family.views_together} views of an object together, and this benchmark asks about "
            "single ones. Give a --model that judges each alone, or measure whole runs: benchmarks/quality.py."
        )
    return pipeline
