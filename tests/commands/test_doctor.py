"""The doctor finds what is there and what is not, and never dies of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reference.pretend_machine import pretend_machine

from dreamfusion_engine import cli
from dreamfusion_engine.commands import doctor
from dreamfusion_engine.commands.model_line import Machine
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.catalogue import catalogue

pytestmark = pytest.mark.slow


def by_name(checks: list[doctor.Check]) -> dict[str, doctor.Check]:
    return {check.name: check for check in checks}


def test_this_environment_has_what_a_run_needs(tmp_path: Path) -> None:
    checks = by_name(doctor.examine(tmp_path))
    assert list(checks) == [
        "python",
        "packages",
        "devices",
        "warp",
        "places",
        "speed",
        "memory",
        "disk",
        "model",
        "downloads",
        "ffmpeg",
    ]
    for name in ("python", "packages", "devices", "warp", "ffmpeg"):
        assert not checks[name].fatal, checks[name]


def test_where_a_run_computes_is_told_with_the_reason_and_cards_that_cannot_render_with_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_machine(monkeypatch, amd=("AMD Radeon RX 7900 XTX",))
    check = doctor._places()
    assert check.detail.startswith("auto is the model on cuda:0, the object on cpu: AMD Radeon RX 7900 XTX computes")
    assert "cuda:0: the model only, Warp, which renders the object, has no such device" in check.detail
    assert not check.fatal and not check.fix


def test_a_broken_part_is_a_finding_with_a_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise ImportError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(doctor, "device_report", missing)
    monkeypatch.setattr(doctor, "DISK_NEEDED_MIB", 1 << 40)
    monkeypatch.setattr(doctor, "MEMORY_NEEDED_MIB", 1 << 40)
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package-here"))
    checks = by_name(doctor.examine(tmp_path))
    assert "libcudart" in checks["torch"].detail and checks["torch"].fix == doctor.REINSTALL
    assert checks["disk"].fatal and not checks["memory"].fatal and checks["memory"].fix
    assert "no-such-package-here" in checks["packages"].detail and checks["packages"].fatal


def test_an_incomplete_model_is_told_with_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def incomplete(_: str) -> Path:
        raise SetupError("model.missing", what="It is not complete.", why="unet is missing.", fix="Get it again.")

    monkeypatch.setattr(doctor, "locate_model", incomplete)
    check = by_name(doctor.examine(tmp_path))["model"]
    assert check.fatal and "unet is missing" in check.detail and check.fix == "Get it again."


def test_downloads_are_told_with_their_folder_and_never_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blobs = tmp_path / f"models--{catalogue()[0].id.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(b"half")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(doctor, "machine", lambda: Machine(device_type="cpu", free_bytes=8 << 30))
    check = doctor._downloads()
    assert str(tmp_path) in check.detail and "offline" in check.detail and "not finished" in check.detail
    assert "with a token" in check.detail and "hf_secret" not in json.dumps(check.to_json())
    assert f"download {catalogue()[0].id}" in check.fix and not check.fatal
    monkeypatch.setenv("HF_TOKEN", "hf_se cret")
    bad = doctor._downloads()
    assert bad.fix and not bad.fatal and "cret" not in json.dumps(bad.to_json()).replace("secret", "")


@pytest.mark.parametrize(("fatal", "code", "last"), [(False, 0, "Ready."), (True, 2, "Not ready")])
def test_the_exit_code_says_whether_a_run_can_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fatal: bool, code: int, last: str
) -> None:
    check = doctor.Check(name="disk", detail="d", fix="Make room.", fatal=fatal)
    monkeypatch.setattr(doctor, "examine", lambda _: [check])
    assert cli.main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAIL" if fatal else "warn") and "Make room." in lines[1] and lines[-1].startswith(last)


def test_checks_are_json() -> None:
    check = doctor.Check(name="a", detail="b")
    assert json.loads(json.dumps(check.to_json())) == {"name": "a", "detail": "b", "fix": "", "fatal": False}
