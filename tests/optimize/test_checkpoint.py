"""Checkpoints: bit-for-bit round trips, a complete one at every moment, and a named error for every kind of damage."""

from __future__ import annotations

import copy
import dataclasses
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from dreamfusion_engine.config.presets import to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.optimize.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)

CONFIG = GenerateConfig(prompt="a mug")


def some(step: int = 7, tensors: Mapping[str, torch.Tensor] | None = None) -> Checkpoint:
    values = tensors or {"field.table": torch.randn(50, 2, generator=torch.Generator().manual_seed(step))}
    return Checkpoint(
        step=step,
        config=to_json(CONFIG),
        device="cpu",
        tensors=dict(values),
        extra={"attempts": 1, "health": {"history": []}},
    )


def test_tensors_of_every_kind_come_back_bit_for_bit(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    torch.randn(5, generator=generator)
    floats = torch.tensor([0.1, -0.0, 1e-45, float("nan"), float("inf")])
    saved = {
        "floats": floats,
        "view": torch.randn(6, 4)[:, 1],  # not contiguous
        "same memory": floats,
        "occupied": torch.rand(4, 4, 4) > 0.5,
        "steps": torch.tensor(12, dtype=torch.int64),
        "generator": generator.get_state(),
        "none": torch.zeros(0, 3),
    }
    save_checkpoint(tmp_path, some(tensors=saved))
    loaded = load_checkpoint(tmp_path, CONFIG)
    assert loaded.step == 7
    assert loaded.extra == {"attempts": 1, "health": {"history": []}}
    assert loaded.versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert loaded.versions.keys() >= {"dreamfusion_engine", "python", "warp-lang", "diffusers"}
    assert loaded.tensors.keys() == saved.keys()
    for name, tensor in saved.items():
        back = loaded.tensors[name]
        assert back.dtype == tensor.dtype
        assert back.shape == tensor.shape
        assert back.contiguous().numpy().tobytes() == tensor.contiguous().numpy().tobytes()
    again = torch.Generator()
    again.set_state(loaded.tensors["generator"])
    assert torch.equal(torch.randn(5, generator=again), torch.randn(5, generator=generator))


@pytest.mark.parametrize("fused", [False, True])
def test_training_broken_off_and_resumed_ends_as_the_unbroken_one_bit_for_bit(tmp_path: Path, fused: bool) -> None:
    class Run:
        def __init__(self) -> None:
            torch.manual_seed(0)
            self.net = torch.nn.Linear(4, 3)
            self.idle = torch.nn.Parameter(torch.ones(2))  # never has a gradient, so never a state
            parameters = [*self.net.parameters(), self.idle]
            self.adam = torch.optim.Adam(parameters, lr=1e-2, betas=(0.9, 0.99), eps=1e-15, fused=fused)
            self.generator = torch.Generator().manual_seed(1)

        def train(self, steps: int) -> None:
            for _ in range(steps):
                loss = self.net(torch.randn(8, 4, generator=self.generator)).square().mean()
                self.adam.zero_grad()
                loss.backward()
                self.adam.step()

        def state(self) -> dict[str, torch.Tensor]:
            fields = {f"field.{n}": t for n, t in self.net.state_dict().items()}
            return {**fields, **optimizer_tensors(self.adam), "generator": self.generator.get_state()}

    unbroken = Run()
    unbroken.train(20)
    broken = Run()
    broken.train(8)
    save_checkpoint(tmp_path, some(8, broken.state()))
    broken.train(3)  # what a kill loses

    tensors = load_checkpoint(tmp_path, CONFIG).tensors
    resumed = Run()
    resumed.net.load_state_dict({n[6:]: t for n, t in tensors.items() if n.startswith("field.")})
    restore_optimizer(resumed.adam, tensors)
    resumed.generator.set_state(tensors["generator"])
    resumed.train(12)
    ours, theirs = resumed.state(), unbroken.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_new_checkpoint_replaces_the_old_one_and_leaves_no_other_files(tmp_path: Path) -> None:
    for step in (50, 100, 150):
        save_checkpoint(tmp_path, some(step))
        assert load_checkpoint(tmp_path, CONFIG).step == step
    index, state = sorted(p.name for p in tmp_path.iterdir())
    assert index == "checkpoint.json"
    assert state.startswith("state-00000150-")


def test_the_same_step_can_be_saved_twice(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, some(50))
    save_checkpoint(tmp_path, some(50))
    assert load_checkpoint(tmp_path, CONFIG).step == 50


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("moment", range(1, 5))
def test_a_stop_at_any_moment_of_saving_leaves_a_complete_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, moment: int
) -> None:
    """KeyboardInterrupt stands for the kill: nothing of the writer's code runs after it but its clean-up."""
    save_checkpoint(tmp_path, some(50))
    calls = 0
    real = getattr(os, function)

    def stop(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise KeyboardInterrupt
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, stop)
        try:
            save_checkpoint(tmp_path, some(100))
            finished = True
        except KeyboardInterrupt:
            finished = False
    loaded = load_checkpoint(tmp_path, CONFIG)
    assert loaded.step == 100 if finished else loaded.step in (50, 100)
    expected = some(loaded.step).tensors["field.table"]
    assert torch.equal(loaded.tensors["field.table"], expected)
    save_checkpoint(tmp_path, some(150))  # and the next save tidies up
    assert len(list(tmp_path.glob("state-*"))) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "input.disk_full"), (errno.EDQUOT, "input.disk_full"), (errno.EIO, "input.output")],
)
def test_a_full_or_failing_disk_is_an_error_and_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    save_checkpoint(tmp_path, some(50))

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(InputError) as caught:
            save_checkpoint(tmp_path, some(100))
    assert caught.value.code == code
    assert str(tmp_path) in caught.value.why
    assert load_checkpoint(tmp_path, CONFIG).step == 50
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        save_checkpoint(tmp_path / "file" / "checkpoint", some())
    assert caught.value.code == "input.output"
    assert "file" in caught.value.why


def test_nothing_to_resume_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, CONFIG)
    assert caught.value.code == "checkpoint.missing"


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "json cut", "json value", "json list"])
def test_any_damage_is_found_and_named(tmp_path: Path, harm: str) -> None:
    index = save_checkpoint(tmp_path, some())
    state = next(tmp_path.glob("state-*"))
    if harm == "flip":
        content = bytearray(state.read_bytes())
        content[len(content) // 2] ^= 1
        state.write_bytes(content)
    elif harm == "cut":
        state.write_bytes(state.read_bytes()[:-7])
    elif harm == "remove":
        state.unlink()
    elif harm == "json cut":
        index.write_text(index.read_text()[:40])
    elif harm == "json value":
        index.write_text(index.read_text().replace('"step": 7', '"step": 8'))
    else:
        index.write_text("[]")
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, CONFIG)
    assert caught.value.code == "checkpoint.damaged"
    assert (state.name if harm in ("flip", "cut", "remove") else index.name) in caught.value.why


def test_another_format_asks_for_the_version_that_wrote_it(tmp_path: Path) -> None:
    index = save_checkpoint(tmp_path, some())
    values = json.loads(index.read_text())
    index.write_text(json.dumps({**values, "format": 2}))
    with pytest.raises(SetupError) as caught:
        load_checkpoint(tmp_path, CONFIG)
    assert caught.value.code == "checkpoint.format"
    assert "format 2" in caught.value.why


def test_a_run_with_other_settings_is_refused_and_the_settings_are_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, some())
    other = dataclasses.replace(
        CONFIG,
        prompt="a chair",
        optimize=dataclasses.replace(CONFIG.optimize, steps=77),
        camera=copy.copy(CONFIG.camera),
    )
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, other)
    assert caught.value.code == "checkpoint.other_run"
    assert caught.value.why == "prompt: 'a mug' then, 'a chair' now; optimize.steps: 1200 then, 77 now"


def test_settings_that_do_not_touch_training_may_change(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, some())
    other = dataclasses.replace(CONFIG, device="cpu", mesh=dataclasses.replace(CONFIG.mesh, triangles=5000))
    assert load_checkpoint(tmp_path, other).step == 7


def test_a_checkpoint_is_no_pickle(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, some())
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert not content.startswith((b"\x80", b"PK"))


def test_writing_is_flushed_to_the_disk_before_it_is_moved_into_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=real: (order.append(n), f(*a))[1])
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert order[:2] == ["fsync", "replace"]


def test_a_run_of_another_method_is_told_so_and_not_that_it_lacks_what_that_one_began_with(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, dataclasses.replace(some(), extra={"subject": "of a picture"}))
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, dataclasses.replace(CONFIG, method="clip-mesh"), given=False)
    assert caught.value.code == "checkpoint.other_run" and "method: 'field' then, 'clip-mesh' now" in caught.value.why


def test_a_mesh_that_is_given_to_a_run_without_one_is_named_and_not_which_settings_follow(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, some())
    other = dataclasses.replace(CONFIG, optimize=dataclasses.replace(CONFIG.optimize, levels_until=0.5))
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, other, given=True)
    assert caught.value.code == "checkpoint.other_run"
    assert "without a mesh" in caught.value.what and "--from" in caught.value.fix
