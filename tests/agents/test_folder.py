"""The allowed folder: what is inside is found, what is outside is refused, by whatever way a path leads there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.agents.folder import PATHS, AllowedFolder
from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.setting import every_setting
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

# Settings of text that names no file: words for people, and names of choices that the engine checks.
TEXTS = {"prompt", "negative", "device", "preset", "recipe", "paint.part", "texture.recipe"}


@pytest.fixture
def allowed(tmp_path: Path) -> AllowedFolder:
    (tmp_path / "secret.glb").write_text("secret")
    folder = AllowedFolder(tmp_path / "objects")
    (folder.path / "inside").mkdir()
    (folder.path / "inside" / "ball.glb").write_text("ball")
    return folder


def test_a_file_inside_is_found_by_either_path(allowed: AllowedFolder) -> None:
    file = allowed.path / "inside" / "ball.glb"
    assert allowed.inside("inside/ball.glb") == allowed.inside(str(file)) == file
    assert allowed.inside("inside/../inside/ball.glb") == file


@pytest.mark.parametrize(
    "given", ["../secret.glb", "inside/../../secret.glb", "/etc/passwd", "..", "/", "//etc/passwd", "../objects-2"]
)
def test_a_path_outside_is_refused(allowed: AllowedFolder, given: str) -> None:
    with pytest.raises(InputError) as caught:
        allowed.inside(given)
    assert caught.value.code == "input.outside_folder" and "--folder" in caught.value.fix


@pytest.mark.parametrize("given", ["nothing.glb", "a\0b", "~", "~root/x", "x" * 5000, "inside/ball.glb/x"])
def test_what_is_not_there_or_no_path_is_refused(allowed: AllowedFolder, given: str) -> None:
    with pytest.raises(InputError) as caught:
        allowed.inside(given)
    assert caught.value.code == "input.no_file"


@pytest.mark.skipif(os.name == "nt", reason="Links need rights on Windows")
def test_links_are_followed_before_it_is_decided(allowed: AllowedFolder) -> None:
    (allowed.path / "out").symlink_to(allowed.path.parent)
    (allowed.path / "ring").symlink_to("ring")
    (allowed.path / "in").symlink_to("inside")
    assert allowed.inside("in/ball.glb") == allowed.path / "inside" / "ball.glb"
    for given, code in (("out/secret.glb", "input.outside_folder"), ("ring", "input.no_file")):
        with pytest.raises(InputError) as caught:
            allowed.inside(given)
        assert caught.value.code == code


def test_every_setting_of_text_is_known_to_name_a_file_or_not() -> None:
    """A new one must be put into PATHS or into TEXTS."""
    settings = every_setting(GenerateConfig) | every_setting(PaintConfig)
    texts = {name for name, about in settings.items() if "str" in str(about.hint) and not about.choices}
    texts = {name for name in texts if not name.startswith("prompts.")}
    assert texts == {name for name in TEXTS | set(PATHS) if name in settings}, "classify the new setting"
    assert set(PATHS) <= set(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "../objects-2"},
        {"model": "/etc"},
        {"base": "/etc"},
        {"judge": "/etc"},
        {"judge": "starter"},
        {"memory": {"tiny_vae": "/etc"}},
        {"adapters": {"lora": [["/etc/passwd", 1.0]]}},
        {"adapters": {"lora": ["/etc/passwd"]}},
        {"adapters": {"embeddings": ["../secret.glb"]}},
        {"model": "auto"},
        {"texture": {"model": "/etc"}},
        {"texture": {"model": "starter", "base": "../secret.glb"}},
    ],
    ids=str,
)
def test_a_setting_that_names_a_file_outside_is_refused(allowed: AllowedFolder, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        allowed.allowed_settings(settings)


def test_files_inside_become_whole_paths_and_the_rest_stays(allowed: AllowedFolder) -> None:
    said = allowed.allowed_settings(
        {
            "model": "inside",
            "judge": "off",
            "negative": "/etc/passwd",
            "optimize": {"steps": 3},
            "adapters": {"lora": [["inside/ball.glb", 0.5]], "embeddings": []},
            "memory": {"tiny_vae": "someone/model"},
        }
    )
    inside = allowed.path / "inside"
    assert said == {
        "model": str(inside),
        "judge": "off",
        "negative": "/etc/passwd",
        "optimize": {"steps": 3},
        "adapters": {"lora": [[str(inside / "ball.glb"), 0.5]], "embeddings": []},
        "memory": {"tiny_vae": "someone/model"},
    }


@pytest.mark.skipif(os.name == "nt", reason="Links need rights on Windows")
def test_a_hub_id_that_is_a_link_here_leads_nowhere_else(allowed: AllowedFolder) -> None:
    (allowed.path / "someone").mkdir()
    (allowed.path / "someone" / "model").symlink_to("/etc")
    with pytest.raises(InputError):
        allowed.allowed_settings({"model": "someone/model"})


def test_every_run_has_a_new_folder_and_is_found_again(allowed: AllowedFolder) -> None:
    first, second = (allowed.new_run("A red mug!", 3) for _ in range(2))
    assert (first.name, second.name) == ("a-red-mug-3", "a-red-mug-3-2")
    request = {"task": "generate", "prompt": "a red mug", "preset": "draft", "settings": {}}
    allowed.keep_request(first, request)
    assert allowed.runs() == ["a-red-mug-3"] and allowed.request_of("a-red-mug-3") == request
    assert allowed.state_of("a-red-mug-3") == "left"
    (first / "checkpoint").mkdir()
    assert allowed.state_of("a-red-mug-3") == "left", "it was killed in its first save"
    (first / "checkpoint" / "checkpoint.json").write_text("{}")
    assert allowed.state_of("a-red-mug-3") == "stopped"
    (first / "result.json").write_text("{}")
    assert allowed.state_of("a-red-mug-3") == "done"


@pytest.mark.parametrize("name", ["", ".", "..", "../objects", "a/b", "nothing", "inside", "x" * 200, "a\0b", "-x"])
def test_only_the_name_of_a_run_is_one(allowed: AllowedFolder, name: str) -> None:
    with pytest.raises(InputError) as caught:
        allowed.request_of(name)
    assert caught.value.code == "input.no_run"


@pytest.mark.parametrize("content", ["", "[]", '{"task": "rm"}', '{"task": "generate", "prompt": 3}', "{" * 9999])
def test_a_request_that_somebody_damaged_is_no_run(allowed: AllowedFolder, content: str) -> None:
    (allowed.path / "inside" / "request.json").write_text(content)
    with pytest.raises(InputError):
        allowed.request_of("inside")


def test_a_folder_that_cannot_be_written_is_refused_before_a_client_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        AllowedFolder(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for given in (tmp_path / "file", tmp_path / "file" / "x", Path("a\0b")):
        with pytest.raises(InputError) as caught:
            AllowedFolder(given)
        assert caught.value.code == "input.output"
