"""The packed add-on: what is in the zip, the same each time, and that Blender takes it from nothing else.

Of: installer/addon_package.py, installer/blenders.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from addon.blenders import ROOT, Session, wheel

sys.path.insert(0, str(ROOT))

from installer.addon_package import CHILD_NEEDS, FOLDER, build_addon, version
from installer.blenders import INSTALL, MARK, install_into, named_blender, version_of
from installer.blenders import Blender as Program
from installer.processes import SetupFailed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, built once."""
    return build_addon(tmp_path_factory.mktemp("dist") / "dreamfusion.zip")


def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        return archive.namelist()


def test_the_zip_has_the_addon_the_engine_and_what_installs_it(package: Path) -> None:
    inside = names(package)
    assert {name.split("/")[0] for name in inside} == {FOLDER}
    for name in ("__init__.py", "blender_manifest.toml", "LICENSE", "core/engine_settings.json", "ui/panels/main.py"):
        assert f"{FOLDER}/{name}" in inside
    wheels = [name for name in inside if name.endswith(".whl")]
    assert wheels == [f"{FOLDER}/engine/dreamfusion_engine-{version()}-py3-none-any.whl"]
    assert f"{FOLDER}/engine/constraints.txt" in inside
    for name in CHILD_NEEDS:
        assert f"{FOLDER}/engine/installer/{name}" in inside


def test_the_zip_has_the_translations_and_the_manual(package: Path) -> None:
    inside = names(package)
    for name in ("translations/de.json", "translations/fr.json", "manual/addon.html", "manual/settings.html"):
        assert f"{FOLDER}/{name}" in inside
    with zipfile.ZipFile(package) as archive:
        added = [
            each for each in archive.infolist() if "/translations/" in each.filename or "/manual/" in each.filename
        ]
    assert sum(each.compress_size for each in added) < 200_000


def test_nothing_of_the_workshop_is_in_the_zip(package: Path) -> None:
    odd = [name for name in names(package) if re.search(r"__pycache__|\.pyc|/\.|(?<!con)test|\.egg|\.log", name)]
    assert odd == []
    assert package.stat().st_size < 40e6


def test_the_wheel_in_the_zip_has_the_starter_model(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    with zipfile.ZipFile(next(tmp_path.rglob("*.whl"))) as built:
        inside = built.namelist()
        entry = next(name for name in inside if name.endswith("entry_points.txt"))
        assert "dreamfusion-engine = dreamfusion_engine.cli:main" in built.read(entry).decode()
    weights = sorted((ROOT / "dreamfusion_engine" / "starter" / "weights").rglob("*"))
    expected = [f.relative_to(ROOT).as_posix() for f in weights if f.is_file()]
    assert [name for name in expected if name not in inside] == []
    sources = [p.relative_to(ROOT).as_posix() for p in (ROOT / "dreamfusion_engine").rglob("*.py")]
    assert [name for name in sources if name not in inside] == []


def test_the_same_checkout_gives_the_same_zip(package: Path, tmp_path: Path) -> None:
    again = build_addon(tmp_path / "again.zip")
    assert again.read_bytes() == package.read_bytes()


def test_the_set_up_in_the_zip_imports_only_what_is_in_the_zip() -> None:
    """What the child of Install Engine imports from the set-up is shipped with it."""
    for name in CHILD_NEEDS:
        text = (ROOT / "installer" / name).read_text(encoding="utf-8")
        for module in re.findall(r"^\s*from installer\.(\w+) import", text, re.MULTILINE):
            assert f"{module}.py" in CHILD_NEEDS, f"{name} imports {module}"


def test_the_version_is_the_same_everywhere() -> None:
    manifest = (ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8")
    legacy = (ROOT / "blender_addon" / "__init__.py").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.*)"', manifest, re.MULTILINE) == [version()]
    assert re.findall(r'"version": \((.*)\)', legacy) == [version().replace(".", ", ")]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d\S*?),", changes, re.MULTILINE)[0] == version()


def test_the_manifest_keeps_the_platforms_rules() -> None:
    text = (ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8")
    tagline = re.findall(r'^tagline = "(.*)"', text, re.MULTILINE)[0]
    assert len(tagline) <= 64 and tagline[-1].isalnum()
    permissions = dict(re.findall(r'^(\w+) = "(.*)"', text.partition("[permissions]")[2].partition("[build]")[0], re.M))
    for reason in permissions.values():
        assert len(reason) <= 64 and not reason.endswith(".")
    # Those of Blender's permissions that the sources make use of, by what shows it.
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "blender_addon").rglob("*.py"))
    signs = {"files": ".write_text(|.write(", "network": "online_access", "clipboard": ".clipboard", "camera": "cv2"}
    used = {name for name, sign in signs.items() if any(word in source for word in sign.split("|"))}
    assert set(permissions) == used


@pytest.mark.parametrize("series", ["4.2", "4.5", "5.0", "5.2"])
def test_blenders_own_validator_passes(package: Path, series: str) -> None:
    found = wheel(series)
    if found is None:
        pytest.fail(f"bpy {series} is not here. fix: python3 install.py test makes its environment.")
    script = next(Path(found.program).parent.parent.rglob("bl_pkg/cli/blender_ext.py"))
    tags = next(Path(found.program).parent.parent.rglob("_bpy_internal/extensions/tags.py"))
    command = [found.program, str(script), "validate", "--valid-tags", str(tags), str(package)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Success" in run.stdout


ENABLED = Path(__file__).with_name("scripts") / "package_enabled.py"


@pytest.mark.parametrize("series", ["3.4", "4.5", "5.2"])
def test_the_zip_alone_installs_in_a_clean_blender_and_is_enabled_from_then_on(
    package: Path, tmp_path: Path, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `install.py addon --into` does it; then another Blender process finds it enabled."""
    from addon.blenders import blenders

    found = [blender for blender in blenders() if blender.series == series]
    if not found:
        pytest.fail(f"Blender {series} is not here. fix: python3 install.py test")
    session = Session(found[0], tmp_path)
    if found[0].is_module:  # the same program, run in the module
        assert f"{MARK}ready" in session.run(INSTALL, str(package), addon=False, factory=False).output
    else:
        for variable, value in session.variables().items():
            monkeypatch.setenv(variable, value)
        major, minor = map(int, series.split("."))
        install_into(Program(found[0].program, (major, minor)), package)
    name = "bl_ext.user_default.dreamfusion" if found[0].has_extensions else "dreamfusion"
    outcome = session.run(ENABLED, name, addon=False, factory=False)
    assert str(tmp_path) in outcome.facts["folder"] and outcome.facts["wheel"] == 1
    assert outcome.facts["source"].endswith("engine")


def test_a_blender_is_found_by_its_path_and_others_are_told(window_blender: Session) -> None:
    here = window_blender.blender
    assert "{}.{}".format(*named_blender(here.program).version) == here.series
    assert version_of(sys.executable) is None
    with pytest.raises(SetupFailed, match="not found"):
        named_blender("9.9")
