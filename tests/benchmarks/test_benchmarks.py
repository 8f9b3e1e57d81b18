"""Every benchmark runs, at sizes of a second or two, and says what it promises to say.

Of: benchmarks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchmarks import card, generate, surface
from benchmarks.shared import measurement
from benchmarks.shared.measurement import Limits
from benchmarks.shared.work_counts import field_work
from benchmarks.speed import denoiser, extract, overlap, processes, render, scaling, step, whole_step
from dreamfusion_engine.config.stages import FieldConfig
from dreamfusion_engine.guidance.denoiser.choice import installed

pytestmark = pytest.mark.slow

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], set_threads: Callable[[int], None]) -> Run:
    """Runs a benchmark's main with arguments and --json on one core; its report."""
    set_threads(1)  # and puts back what the benchmark sets

    def call(module: ModuleType, *arguments: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", [module.__name__, "--json", "--cores", "1", *arguments])
        module.main()
        out = capsys.readouterr().out
        assert out.count("\n") == 1, "one JSON object and nothing else"
        report: dict[str, Any] = json.loads(out)
        assert set(report["machine"]) == {"device", "cores", "system", "versions"}
        return report

    monkeypatch.setattr(measurement, "_MATRIX", 64)
    monkeypatch.setattr(measurement, "_COPY", 1 << 12)
    return call


def test_a_step_is_timed_part_by_part_on_both_sides_on_the_same_picture(run: Run) -> None:
    report = run(step, "--resolution", "16", "--repeats", "1")
    assert set(report["ratio_to_torch"]) == set(report["scenes"]) == {"blob", "solid"}
    assert report["ratio_to_bare"] > 0.0
    assert report["denoiser"]["gigaflop"] > 1.0
    for scene in report["scenes"].values():
        assert scene["samples"] > 500
        assert scene["picture_difference"] < 1e-3
        assert set(scene["parts"]) == {*step.PARTS, "nerf", "step"}
        for part, row in scene["parts"].items():
            assert row["milliseconds"] > 0.0 and row["torch_milliseconds"] > 0.0
            assert ("floor_milliseconds" in row) == (part in (*step.NERF, "nerf"))
        nerf = sum(scene["parts"][part]["milliseconds"] for part in step.NERF)
        assert scene["parts"]["nerf"]["milliseconds"] == pytest.approx(nerf, rel=1e-2)


def test_a_picture_is_timed_on_both_sides_and_is_the_same(run: Run) -> None:
    report = run(render, "--resolutions", "12", "--repeats", "1")
    for name, sizes in report["scenes"].items():
        assert sizes["12"]["picture_difference"] < 1e-3
        assert report["ratio_to_torch"][name] == {"12": sizes["12"]["ratio_to_torch"]}


def test_a_differentiable_picture_of_a_mesh_is_timed_part_by_part(run: Run) -> None:
    report = run(surface, "--resolutions", "8", "16", "--triangles", "100", "400", "--repeats", "1")
    assert [mesh["triangles"] for mesh in report["meshes"]] == [100, 400]
    for mesh in report["meshes"]:
        assert mesh["build"]["milliseconds"] > 0.0
        assert set(mesh["pictures"]) == {"8", "16"}
        for row in mesh["pictures"].values():
            assert list(row["parts"]) == ["refit", "cast", "attributes", "antialias", "backward"]
            parts = sum(part["milliseconds"] for part in row["parts"].values())
            assert row["picture"]["milliseconds"] == pytest.approx(parts, rel=1e-2)
            assert 0.2 < row["rays_that_meet"] < 0.8
            assert row["processor_milliseconds"] > 0.0


def test_a_mesh_is_timed_part_by_part(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "_FIT_STEPS", 25)
    monkeypatch.setattr(extract, "_PIXELS", 32)
    sizes = ["--resolution", "40", "--triangles", "600", "--texture", "96"]
    report = run(extract, "--preset", "draft", "--repeats", "1", "--no-files", *sizes)
    parts = report["presets"]["draft"]["parts"]
    assert list(parts) == ["lattice", "iso", "clean", "unwrap", "bake"]
    for part in extract.ASKING:
        assert parts[part]["points"] > 100
        assert parts[part]["ratio_to_torch"] > 0.0


def test_a_denoiser_is_timed_by_every_runtime_in_turn(run: Run) -> None:
    report = run(denoiser, "--repeats", "1")
    assert report["rows"] == 4
    exact = report["ways"]["torch float32 x 1"]
    assert exact["cosine"] == 1.0
    for row in report["ways"].values():
        assert row["wall"]["milliseconds"] > 0.0 and row["processor"]["milliseconds"] > 0.0
        assert row["cosine"] > 0.999
    found = {name.split()[0] for name in report["ways"]}
    assert found == ({"torch", "openvino"} if installed() else {"torch"})


@pytest.mark.skipif(not installed(), reason="OpenVINO is not installed")
def test_steps_are_timed_overlapped_and_plain_and_are_the_same_step(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_WARM_UP", 2)
    # Without light: a young field has no surface, and its normals make rounding in the last bit into one in a thousand.
    unlit = [f"--set={setting}" for setting in ("optimize.albedo_until=1.0", "optimize.smoothness=0.0")]
    report = run(overlap, "--repeats", "1", "--set=optimize.resolution=[16, 16]", *unlit)
    assert [(row["overlapped"], row["denoiser_threads"]) for row in report["rows"]] == [(False, 1), (True, 1)]
    assert report["ratio"] == pytest.approx(report["plain_milliseconds"] / report["overlapped_milliseconds"], rel=1e-2)
    assert report["judge_milliseconds"]["1"]["milliseconds"] > 0.0
    assert report["gradient_difference"] < 1e-4


def test_a_run_is_timed_from_prompt_to_glb(run: Run) -> None:
    small = ["optimize.steps=4", "optimize.resolution=[8,8]", "mesh.resolution=24", "mesh.triangles=200"]
    small += ["mesh.texture=64", "render.steps=16", "mesh.iso=1.0"]
    words = [word for setting in small for word in ("--set", setting)]
    report = run(generate, "--preset", "draft", "--device", "cpu", "--twin-steps", "1", *words)
    row = report["presets"]["draft"]
    assert row["seconds"] >= sum(row["seconds_by_stage"][s] for s in ("load", "train", "extract", "unwrap", "bake"))
    assert row["steps"] == 4
    assert row["peak_memory_mib"] > 100
    assert report["ratio_to_torch"] == {"draft": row["ratio_to_torch"]}


@pytest.mark.parametrize("axis", ["rays", "samples", "views"])
def test_the_work_of_a_step_grows_linearly(axis: str) -> None:
    """Samples are what the time goes into; counted, not timed, so that it holds on any machine."""
    small, middle, large = (
        len(scene.marched(scene.sides["ours"]))
        for scene in (scaling.scene_of(axis, size, torch.device("cpu")) for size in scaling.SIZES[axis])
    )
    assert small < middle < large
    assert large / small == pytest.approx(16.0, rel=0.25)  # a few coarse pixels or steps hit the ball's edge or not


def test_scaling_gives_an_exponent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scaling.SIZES, "rays", (64, 256))
    report = run(scaling, "--only", "rays", "--repeats", "1")
    assert list(report["exponent"]) == ["rays"]
    assert scaling.exponent({"1": {"milliseconds": 3.0}, "16": {"milliseconds": 48.0}}) == 1.0
    assert scaling.exponent({"1": {"milliseconds": 3.0}, "16": {"milliseconds": 12.0}}) == 0.5


def test_the_floor_is_the_larger_of_arithmetic_and_memory() -> None:
    limits = Limits(matrix_rate=2e9, bandwidth=1e9)
    assert limits.floor(4e9, 1e9) == 2.0
    assert limits.floor(1e9, 3e9) == 3.0


def test_the_work_of_a_field_is_counted_as_by_hand() -> None:
    config = FieldConfig(levels=2, features=1, hidden=4)
    work = field_work(10, config, entries=1000, outputs=4)
    # A point: 2 levels of 8 corners at 2 + 3 operations, 4 x 2 and 4 x 4 products of 2, 4 outputs at 3.
    assert work.operations == 10 * (2 * 8 * 5 + 2 * 4 * (2 + 4) + 12)
    assert work.moved == 4 * (10 * 7 + 160)  # ten points touch 160 entries at most


def test_a_spread_is_the_middle_half() -> None:
    found = measurement.milliseconds([0.001 * k for k in (5, 1, 2, 3, 4)])
    assert found == {"milliseconds": 3.0, "spread": [1.5, 4.5], "n": 5}


def test_processes_are_compared_by_views_a_second(run: Run) -> None:
    report = run(processes, "--rows", "0", "--steps", "1", "--resolution", "8")
    (row,) = report["rows"]
    assert (row["processes"], row["views"], row["views_at_once"], row["n"]) == (1, 2, 2, 1)
    assert row["views_per_second"] == pytest.approx(2e3 / row["milliseconds"], rel=1e-2)
    assert report["ratio_to_one"] == [1.0]


def test_a_whole_step_is_compared_with_the_bare_networks(run: Run) -> None:
    small = ["--size", "tiny", "--resolution", "8", "--block", "1", "--repeats", "1"]
    report = run(whole_step, "--device", "cpu", *small)
    bare = report["bare"]["encode"]["milliseconds"] + report["bare"]["denoise"]["milliseconds"]
    assert report["ratio_to_parts"] == pytest.approx(report["step"]["milliseconds"] / bare, rel=1e-2)
    assert report["minutes_of_10000_steps"] == pytest.approx(report["step"]["milliseconds"] / 6.0, rel=1e-2)
    assert report["nerf_milliseconds"] < report["step"]["milliseconds"]
    assert "targets" not in report, "they are of a card and of a large model"
    met = {name: row["met"] for name, row in whole_step.targets({**report, "nerf_milliseconds": 3.0}).items()}
    assert met["nerf_milliseconds"] and set(met) == {*whole_step.TARGETS, *whole_step.FASTEST}


def test_the_large_teacher_is_as_large_as_it_says() -> None:
    from benchmarks.memory.networks import ARCHITECTURES

    with torch.device("meta"):
        architecture = ARCHITECTURES["Stable Diffusion 1.5"]
        assert architecture.vae is not None
        unet: Any = architecture.denoiser()
        vae: Any = architecture.vae()
    assert sum(p.numel() for p in unet.parameters()) == 859_520_964  # the model card's 860 million
    assert sum(p.numel() for p in vae.encoder.parameters()) == 34_163_592


def test_one_command_gathers_what_each_benchmark_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = ["speed/render.py", "--resolutions", "8", "--repeats", "1"]
    monkeypatch.setattr(card, "RUNS", {"render": small, "step": ["speed/step.py", "--what"]})
    monkeypatch.setattr(sys, "argv", ["card", "--device", "cpu", "--output", str(tmp_path / "card.json")])
    with pytest.raises(SystemExit):
        card.main()
    found = json.loads((tmp_path / "card.json").read_text())
    assert found["render"]["report"]["scenes"]["blob"]["8"]["milliseconds"] > 0.0
    assert "--what" in found["step"]["failed"]
