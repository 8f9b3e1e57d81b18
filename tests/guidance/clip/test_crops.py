"""Facts about crops at places that tensors give."""

from __future__ import annotations

import pytest
import torch

from dreamfusion_engine.guidance.clip.crops import crop_size, cropped


def test_a_crop_is_a_slice_of_its_own_picture() -> None:
    pictures = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[0, 0], [1, 3], [2, 2], [3, 0]])
    made = cropped(pictures, corners, 6)
    for i, (row, column) in enumerate(corners.tolist()):
        assert torch.equal(made[i], pictures[i // 2, :, row : row + 6, column : column + 6])


def test_a_whole_picture_is_a_crop_of_itself_and_a_gradient_comes_back_to_every_pixel_as_often_as_it_is_seen() -> None:
    pictures = torch.rand(1, 1, 5, 5, requires_grad=True)
    made = cropped(pictures, torch.tensor([[0, 0], [1, 1]]), 4)
    (gradient,) = torch.autograd.grad(made.sum(), pictures)
    seen = torch.zeros(5, 5)
    seen[:4, :4] += 1.0
    seen[1:, 1:] += 1.0
    assert torch.equal(gradient[0, 0], seen)
    assert torch.equal(cropped(pictures, torch.tensor([[0, 0]]), 5), pictures)


@pytest.mark.parametrize(
    ("size", "share", "side"), [(168, 154 / 168, 154), (48, 154 / 168, 44), (1, 0.2, 1), (9, 1.0, 9)]
)
def test_the_size_of_a_crop(size: int, share: float, side: int) -> None:
    assert crop_size(size, share) == side
