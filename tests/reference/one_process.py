"""What each of two processes does in the test of training together. Arguments: the folder to leave results in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference.tiny_training import CPU, disc_teacher, tiny_config  # noqa: E402
from refinement.surfaces import settings, surface  # noqa: E402

from dreamfusion_engine.errors import Cancelled  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine import processes  # noqa: E402
from dreamfusion_engine.models.card import PromptCard  # noqa: E402
from dreamfusion_engine.optimize.session import Session  # noqa: E402
from dreamfusion_engine.optimize.volume_training import VolumeTraining  # noqa: E402
from dreamfusion_engine.refinement.training import RefineTraining  # noqa: E402

SHORT_FROM = 3
CANCEL_AT = 7  # the first process wishes to stop there; the other one never does


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    us = processes.join("cpu")
    config = tiny_config(views=2, albedo_until=0.0, gradient_clip=0.0)
    scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    training = VolumeTraining(config, seed=3, device=CPU, processes=us)
    gradients = []
    for _ in range(3):
        training.train_step(scores)
        gradients.append(torch.cat([p.grad.flatten() for p in training.field.parameters() if p.grad is not None]))
    torch.save(gradients, folder / f"gradients-{us.index}.pt")

    asked = 0

    def control() -> str:
        nonlocal asked
        asked += 1
        return "cancel" if us.first and asked > CANCEL_AT else "continue"

    session = Session(
        config=config,
        distillation=scores,
        device=CPU,
        folder=folder / f"checkpoint-of-{us.index}",
        report=lambda event: None,
        control=control,  # type: ignore[arg-type]
        seconds_after=0.0,
        snapshot=lambda training: None,
        processes=us,
    )
    try:
        session.run()
    except Cancelled:
        state = torch.cat([p.detach().flatten() for p in session.training.field.parameters()])
        found = {"step": session.training.step, "sum": state.double().sum().item(), "count": us.count}
        (folder / f"stopped-{us.index}.json").write_text(json.dumps(found))
    short_of_memory(us, folder)
    torch.save(refined(2, us), folder / f"refined-{us.index}.pt")
    processes.leave()


def refined(views: int, us: processes.Processes) -> torch.Tensor:
    """The vertices of a surface after three steps of a refinement with so many views for each process."""
    config = settings(views=views, gradient_clip=0.0)
    scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    training = RefineTraining(surface(), config, seed=3, device=CPU, processes=us)
    for _ in range(3):
        training.train_step(scores)
    return training.moves.shape.vertices()


def short_of_memory(us: processes.Processes, folder: Path) -> None:
    """A run in which the second process alone has no memory for two views, from a step in the middle on."""

    class Short(type(disc_teacher())):  # type: ignore[misc]
        def to_model_space(self, image: torch.Tensor, posterior: torch.Tensor | None = None) -> torch.Tensor:
            if not us.first and session.training.step >= SHORT_FROM and image.requires_grad and len(image) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory in the second process.")
            return super().to_model_space(image)

    config = tiny_config(views=2, steps=8)
    session = Session(
        config=config,
        distillation=ScoreDistillation(Short(disc_teacher().means, 0.3), "a ball", "", PromptCard(), config.guidance),
        device=CPU,
        folder=folder / f"short-{us.index}",
        report=lambda event: None,
        control=lambda: "continue",
        seconds_after=0.0,
        snapshot=lambda training: None,
        processes=us,
    )
    session.run()
    state = torch.cat([p.detach().flatten() for p in session.training.field.parameters()])
    found = {"step": session.training.step, "sum": state.double().sum().item(), "taken": session.memory.taken}
    (folder / f"short-{us.index}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
