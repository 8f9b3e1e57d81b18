"""What takes a step back that broke off, so that it leaves no trace and can be made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from dreamfusion_engine.guidance.guidance import Guidance


class StepUndo:
    """What a step changes before it moves the field, as it was when this was made.

    The field itself needs no copy: the optimizer moves it last, in one operation.

    field: nn.Module that is trained.
    optimizer: torch.optim.Optimizer of it, whose counts of steps are kept.
    generators: of the training's random numbers.
    distillation: Guidance, whose score may learn.
    own: takes back the changes in the state of a kind of training.
    """

    def __init__(
        self,
        field: nn.Module,
        optimizer: torch.optim.Optimizer,
        generators: Sequence[torch.Generator],
        distillation: Guidance,
        own: Callable[[], None],
    ) -> None:
        self._field, self._optimizer, self._distillation, self._own = field, optimizer, distillation, own
        self._drawn = [(generator, generator.get_state()) for generator in generators]
        self._buffers = {name: tensor.clone() for name, tensor in field.named_buffers()}
        self._counts = {parameter: values["step"].clone() for parameter, values in optimizer.state.items()}
        self._learned = {name: tensor.clone() for name, tensor in distillation.state().items()}

    def restore(self, *, keep_gradients: bool) -> None:
        """Put everything back.

        keep_gradients: bool, whether gradients become zeros in the same memory; else there are none.
        """
        for generator, drawn in self._drawn:
            generator.set_state(drawn)
        for name, tensor in self._field.named_buffers():
            tensor.copy_(self._buffers[name])
        self._own()
        for parameter, values in list(self._optimizer.state.items()):
            if parameter not in self._counts:  # the very first step was making it
                del self._optimizer.state[parameter]
            else:
                values["step"].copy_(self._counts[parameter])
        self._optimizer.zero_grad(set_to_none=not keep_gradients)
        self._distillation.load_state(self._learned)
