#!/usr/bin/env python3
"""Sets up and runs DreamFusion from a fresh checkout. Needs Python 3.10 or newer and nothing else.

  python3 install.py demo "a hamburger"   make the environment, then the object, into outputs/a-hamburger-0/: the mesh,
                                          and, through the add-on, a .blend and a rendered picture
  python3 install.py addon                pack the add-on into dist/, ready to install in Blender
  python3 install.py test                 make the environment, then run every check and test
  python3 install.py engine               make the environment only
  python3 install.py doctor               say whether this machine is ready, and what to do if not

demo    [PROMPT] [OPTIONS]   any option of `generate`: --seed 1, --preset draft, --output DIR, --resume, --help
          --no-blend   only the mesh; else Blender as a Python module is fetched once (about 400 MB, 1 GB on disk)
test    [--quick] [PYTEST ARGUMENTS]   without arguments: ruff, mypy and the whole suite; with: only pytest, with them
          --quick    without the tests that are slow or need a Blender: some minutes, for while you work
addon   [--into BLENDER]     also install and enable it: a Blender program, a version such as 4.5, or "newest"
engine  [--torch auto|cpu|cuda|rocm|mps|xpu] [--remake] [--dry-run]
          --torch    which build of torch; auto: the one for this machine's card and driver, else CPU
          --remake   throw the environment away first
          --dry-run  only say what was found, what would be done, and why

The environment is the folder .venv beside this file. It is made once, takes about 2 GB (CPU), 8 GB (CUDA) or 16 GB
(ROCm), and is made anew when constraints.txt, pyproject.toml or Python change. Blenders for demo and test are in
.venvs. Nothing outside this folder is touched, but for two things: `addon --into` installs in your Blender, and
`test`, as root on Debian, installs blender, xvfb and what they need.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036  written so that an older Python can read this far
    sys.exit(
        "error: This needs Python 3.10 or newer.\n"
        "  why: This is Python " + sys.version.split()[0] + ", " + sys.executable + "\n"
        "  fix: Start it with a newer one, for example: python3.12 install.py"
    )

import os
import platform
import shlex
import subprocess
from pathlib import Path

from installer.addon_package import build_addon
from installer.blend_file import make_blend
from installer.blenders import install_into, named_blender
from installer.blenders_for_tests import install_test_programs, make_test_blenders
from installer.environment import fingerprint, make_environment, read_stamp
from installer.machine import check_wheels
from installer.processes import ENVIRONMENT, ROOT, SetupFailed, run, run_in_turn, say
from installer.python import base_python, environment_python, module_words
from installer.torch_choice import BUILDS, choose, found_lines

# Of the tests, each without the others in it; the longest first, so that every core has work to the end.
PARTS = ("tests/addon", "tests", "tests/addon/ui", "tests/models", "tests/mesh", "tests/guidance", "tests/optimize")


def demo(arguments: list[str]) -> int:
    """Make the environment, then the object, then through the add-on a .blend and a picture."""
    blend = "--no-blend" not in arguments
    arguments = [word for word in arguments if word != "--no-blend"] or ["a hamburger"]
    python = make_environment()
    own = os.path.relpath(__file__) if Path.cwd().drive == ROOT.drive else __file__
    typed = [Path(sys.executable).name, own, "demo"]
    called_as = subprocess.list2cmdline(typed) if sys.platform == "win32" else shlex.join(typed)
    words = [*module_words(python, "dreamfusion_engine"), "generate", *arguments]
    code = run(words, DREAMFUSION_CALLED_AS=called_as)
    if code != 0 or not blend or "--json" in arguments:
        return code
    return make_blend(python, arguments)


def _asks_for_help(words: list[str]) -> bool:
    """Whether one of a command's words asks for help; after -- there are none."""
    options = words[: words.index("--")] if "--" in words else words
    return bool({"-h", "--help"} & set(options))


def _is_ready() -> bool:
    """Whether there is an environment, of whatever versions."""
    return (read_stamp() or {}).get("complete") is True and environment_python().exists()


def test(arguments: list[str]) -> int:
    """Make the environments with the test tools, then run ruff, mypy and pytest; every one must pass.

    With --quick no Blender is made, and no test runs that is marked slow or needs a Blender.
    """
    quick = "--quick" in arguments
    arguments = [word for word in arguments if word != "--quick"]
    python = str(make_environment(tests=True))
    os.chdir(ROOT)
    pytest = [python, "-m", "pytest", *(["-m", "not slow and not blender"] if quick else [])]
    if arguments:
        return run([*pytest, *arguments])
    for left_out in [] if quick else [*make_test_blenders(), *install_test_programs()]:
        say(f"LEFT OUT: {left_out}")
    checked = ["dreamfusion_engine", "blender_addon", "training", "installer", "install.py", "benchmarks", "tests"]
    commands = [("ruff", [python, "-m", "ruff", "check", "."]), ("mypy", [python, "-m", "mypy", *checked])]
    for part in PARTS:
        others = [f"--ignore={other}" for other in PARTS if other.startswith(f"{part}/")]
        commands.append((f"pytest {part}", [*pytest, "-p", "no:cacheprovider", part, *others]))
    # Tests of Blender and of servers wait as long as they compute, so one part more than two cores keeps both busy.
    at_once = 3 if (os.cpu_count() or 1) > 1 else 1
    say(f"{len(commands)} parts, {at_once} at once; each tells what it found when it has ended.")
    failed = run_in_turn(commands, at_once=at_once)
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def engine(arguments: list[str]) -> int:
    """Make the environment only."""
    options = {"--torch": "auto"}
    flags = set()
    words = iter(arguments)
    for word in words:
        name, _, value = word.partition("=")
        if name == "--torch":
            options[name] = value or next(words, "")
        elif word in ("--remake", "--dry-run"):
            flags.add(word)
        else:
            why = "The options of engine are --torch, --remake and --dry-run."
            raise SetupFailed(f"There is no option {word!r}.", why, "python3 install.py --help")
    if options["--torch"] not in ("auto", *BUILDS):
        why = f"{options['--torch']!r} is not one of auto, {', '.join(BUILDS)}."
        raise SetupFailed("The kind of torch cannot be read.", why, "For example: --torch cpu")
    if "--dry-run" in flags:
        choice = choose(options["--torch"])
        check_wheels()
        stamp = read_stamp() or {}
        say(f"python       {platform.python_version()}, {base_python()}")
        say(f"device       {choice.device}")
        for line in found_lines(choice):
            say(line)
        current = stamp.get("complete") is True and stamp.get("fingerprint") == fingerprint()
        say(f"environment  {ENVIRONMENT}: {'ready' if current else 'to be made'}")
        return 0
    python = make_environment(torch=options["--torch"], remake="--remake" in flags)
    say(f"Python of the engine: {python}")
    return 0


def doctor(arguments: list[str]) -> int:
    """Say what there is, without making anything."""
    if not _is_ready():
        raise SetupFailed(
            "The engine is not installed yet.",
            f"There is no complete environment in {ENVIRONMENT}.",
            "python3 install.py engine",
        )
    if (read_stamp() or {}).get("fingerprint") != fingerprint():
        say("warn environment  made for another Python or other versions; the next command makes it anew")
    return run([*module_words(environment_python(), "dreamfusion_engine"), "doctor", *arguments])


def addon(arguments: list[str]) -> int:
    """Pack the add-on, and install it in a Blender where one is named."""
    into = ""
    words = iter(arguments)
    for word in words:
        name, _, value = word.partition("=")
        if name != "--into":
            why = "The only option of addon is --into."
            raise SetupFailed(f"There is no option {word!r}.", why, "python3 install.py --help")
        into = value or next(words, "newest")
    blender = named_blender(into) if into else None
    package = build_addon()
    say(f"{package}: {package.stat().st_size / 1e6:.1f} MB")
    if blender is None:
        say("In Blender: Edit > Preferences > Add-ons > Install (from Disk), choose this file, enable DreamFusion.")
        return 0
    say(f"Installing it in Blender {blender.version[0]}.{blender.version[1]}, {blender.program} ...")
    install_into(blender, package)
    say("Ready: in Blender's 3D View press N and open the tab DreamFusion.")
    return 0


_HELD = "Close programs that use it, such as Blender, or give yourself the right to write there; then try again."
COMMANDS = {"demo": demo, "addon": addon, "test": test, "engine": engine, "doctor": doctor}


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a code page such as cp437 lacks letters that paths have
            stream.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say((__doc__ or "").strip())
        return 0 if arguments else 2
    try:
        if arguments[0] not in COMMANDS:
            why = f"There are {', '.join(COMMANDS)}."
            raise SetupFailed(f"There is no command {arguments[0]!r}.", why, "python3 install.py --help")
        # Of what follows `test` more words may be pytest's, which has a help of its own.
        if _asks_for_help(arguments[1:]) and (arguments[0] != "test" or len(arguments) == 2):
            say((__doc__ or "").strip())
            if arguments[0] == "demo" and _is_ready():
                say("\nThe options of generate:\n")
                return run([*module_words(environment_python(), "dreamfusion_engine"), "generate", "--help"])
            return 0
        return COMMANDS[arguments[0]](arguments[1:])
    except SetupFailed as failure:
        print(failure.text, file=sys.stderr)
        return 2
    except OSError as error:
        why = f"{error.filename or 'A file'}: {error.strerror or error}"
        print(SetupFailed("A file may not be written.", why, _HELD).text, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What is half made is made anew next time.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
