"""Why an engine did not start, or ended: exit codes, system errors and last words as sentences for the artist."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Sequence

from ..job import Trouble
from ..phrase import phrase

LOG = phrase("Open the log for its last words.")
INSTALL = phrase("Press Install Engine in the add-on's preferences, or choose another engine there.")
_WRONG_FORMAT = {errno.ENOEXEC, getattr(errno, "EBADARCH", 86)}
_WINDOWS_WRONG_FORMAT = {193, 216}  # ERROR_BAD_EXE_FORMAT, ERROR_EXE_MACHINE_TYPE_MISMATCH


def start_trouble(error: Exception, program: str) -> Trouble:
    """The trouble for an exception while starting a process.

    error: Exception that was raised.
    program: str, the first word of the command.
    """
    number = error.errno if isinstance(error, OSError) else None
    windows = getattr(error, "winerror", None)
    if isinstance(error, FileNotFoundError):
        return Trouble(
            "engine.missing_program",
            phrase("The engine cannot be started."),
            phrase("There is no program {program}.", program=program),
            INSTALL,
        )
    if number in _WRONG_FORMAT or windows in _WINDOWS_WRONG_FORMAT:
        return Trouble(
            "engine.wrong_architecture",
            "The engine's Python does not run on this computer.",
            phrase("{program} was made for another processor or system, or is damaged.", program=program),
            INSTALL,
        )
    if isinstance(error, PermissionError):
        return Trouble(
            "engine.permission",
            "The engine may not be started.",
            phrase(
                "The system does not let {program} run. It is no program, or a virus scanner forbids it.",
                program=program,
            ),
            "Allow it to run, or choose another engine in the add-on's preferences.",
        )
    if isinstance(error, NotADirectoryError):
        return Trouble(
            "engine.missing_program",
            phrase("The engine cannot be started."),
            phrase("{program} is no file.", program=program),
            INSTALL,
        )
    if number == errno.ENOMEM:
        return Trouble(
            "engine.memory", "The engine cannot be started.", "There is no memory left.", "Close other programs."
        )
    return Trouble("engine.start", "The engine cannot be started.", _first(str(error)), INSTALL)


# A pattern of the last words (of a remote shell, ssh, Python or the loader), then the trouble's code, why and fix.
_LAST_WORDS: tuple[tuple[str, str, str, str], ...] = (
    (
        r"No module named '?dreamfusion_engine",
        "engine.missing_package",
        phrase("That Python has no DreamFusion engine in it."),
        INSTALL,
    ),
    (
        r"No module named ('?[\w.]+'?)",
        "engine.missing_package",
        phrase("The engine's environment is not complete."),
        INSTALL,
    ),
    (
        r"Permission denied \(|Host key verification failed|Too many authentication failures",
        "engine.ssh_login",
        phrase("The other computer does not let ssh in without questions."),
        phrase(
            "Log in once in a terminal with the same command, set up a key (ssh-copy-id), and test the "
            "connection again."
        ),
    ),
    (
        r"Could not resolve hostname|Name or service not known|No route to host|Connection refused"
        r"|Connection timed out|Operation timed out|Network is unreachable",
        "engine.ssh_network",
        phrase("The other computer cannot be reached."),
        phrase("Check its name, that it is on, and the network; then test the connection again."),
    ),
    (
        r"Connection (?:to \S+ )?(?:closed|reset)|Broken pipe|Timeout, server \S+ not responding",
        "engine.ssh_lost",
        phrase("The connection to the other computer was lost."),
        phrase("Check the network and resume: the engine there keeps a checkpoint."),
    ),
    (
        r"command not found|not found|is not recognized as|No such file or directory",
        "engine.not_there",
        phrase("There is no engine behind the command."),
        phrase("Install the engine on that computer, or give its full path in the command."),
    ),
    (
        r"out of memory|MemoryError|std::bad_alloc|CUDA error: out of memory",
        "engine.memory",
        phrase("The memory ran out."),
        phrase("Close other programs or use a smaller preset, then resume."),
    ),
    (r"No space left on device", "engine.disk_full", phrase("The disk is full."), phrase("Make room, then resume.")),
    (
        r"unrecognized arguments|invalid choice|no such option",
        "engine.version",
        phrase("The engine is of another version and does not know how it was called."),
        phrase("Update the add-on and the engine to the same version."),
    ),
)
_FROM_SHELL = {"engine.ssh_login", "engine.ssh_network", "engine.ssh_lost", "engine.not_there"}
_CRASHES = {
    name: getattr(signal, name).value
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE")
    if hasattr(signal, name)
}


def exit_trouble(code: int, tail: Sequence[str], *, local: bool, ready: bool) -> Trouble:
    """The trouble for an engine that ended without being asked.

    code: int, the exit code as subprocess gives it: negative for a signal.
    tail: the last lines of its log.
    local: bool, whether it ran on this computer.
    ready: bool, whether it had greeted, so that it was working and not starting.
    """
    what = (
        phrase("The engine stopped in the middle of its work.")
        if ready
        else phrase("The engine ended while it was starting.")
    )
    kill = getattr(signal, "SIGKILL", signal.SIGTERM).value
    if code in (-kill, 128 + kill):
        return Trouble(
            "engine.killed",
            what,
            "The system or another program ended it, most often because the memory ran out.",
            "Close other programs or use a smaller preset, then resume.",
        )
    crash = next((name for name, number in _CRASHES.items() if code in (-number, 128 + number)), None)
    if crash is not None or code in (0xC0000005, 0xC0000374, 0xC0000409, 0xC000001D, -1073741819):
        shown = crash or phrase("code {number:#x}", number=code & 0xFFFFFFFF)
        return Trouble(
            "engine.crashed",
            what,
            phrase("It crashed ({shown}): {words}", shown=shown, words=last_words(tail)),
            phrase("Try again. {log}", log=LOG),
        )
    text = "\n".join(tail[-12:])
    for pattern, name, why, fix in _LAST_WORDS:
        if name in _FROM_SHELL and local:
            continue
        found = re.search(pattern, text)
        if found is not None:
            line = next((line for line in reversed(tail) if re.search(pattern, line)), "")
            return Trouble(name, what, phrase("{why} It said: {said}", why=why, said=_first(line)), fix)
    if not local and code in (126, 127):
        return Trouble("engine.not_there", what, "There is no engine behind the command.", _LAST_WORDS[5][3])
    if code == 0 and ready:
        why = phrase("It was asked to end by somebody else, or ended by itself; {words}.", words=last_words(tail))
        return Trouble("engine.ended", what, why, "Resume, or try again.")
    return Trouble(
        "engine.ended",
        what,
        phrase("Exit code {code}; {words}", code=code, words=last_words(tail)),
        phrase("Try again. {log}", log=LOG),
    )


def last_words(tail: Sequence[str]) -> str:
    """The last thing that the engine said, cut to a short length."""
    spoken = [line for line in tail if not line.startswith("[")]
    return phrase("it said: {words}", words=_first(spoken[-1])) if spoken else phrase("it said nothing")


def silence_trouble(seconds: float, stage: str, *, ready: bool) -> Trouble:
    """The trouble for an engine that runs and says nothing.

    seconds: float, how long it has been silent.
    stage: str, of the job that it had; '' without one.
    ready: bool, whether it had greeted.
    """
    if not ready:
        return Trouble(
            "engine.start_silent",
            "The engine does not answer.",
            phrase(
                "It was started {seconds:.0f} s ago and has said nothing that this add-on understands.", seconds=seconds
            ),
            phrase("Test the connection in the add-on's preferences. {log}", log=LOG),
        )
    why = phrase("It said nothing for {seconds:.0f} s, so it was ended.", seconds=seconds)
    if stage:
        why = phrase(
            "It said nothing for {seconds:.0f} s during '{stage}', so it was ended.", seconds=seconds, stage=stage
        )
    return Trouble(
        "engine.silent",
        "The engine does not answer any more.",
        why,
        phrase("Resume: what it had reached is kept. {log}", log=LOG),
    )


def babble_trouble(why: str) -> Trouble:
    """The trouble for an engine whose messages cannot be read.

    why: str, what is wrong with the last one.
    """
    return Trouble(
        "engine.babble",
        "What the engine says cannot be understood.",
        why,
        phrase("Update the add-on and the engine to the same version. {log}", log=LOG),
    )


def damaged_result_trouble(why: str) -> Trouble:
    """The trouble for a result whose mesh is not whole."""
    return Trouble(
        "result.damaged",
        "The finished mesh did not arrive whole.",
        why,
        "Press Resume: the training is kept, and only the mesh is made again.",
    )


def damaged_cut_out_trouble(why: str) -> Trouble:
    """The trouble for a picture's cut-out that is not whole."""
    return Trouble("input.picture", "The cut-out did not arrive whole.", why, "Press Show Cut-Out again.")


def version_trouble(theirs: object, ours: int) -> Trouble:
    """The trouble for an engine of another protocol version."""
    older = "engine" if isinstance(theirs, int) and theirs < ours else "add-on"
    return Trouble(
        "engine.version",
        "The add-on and the engine do not fit together.",
        phrase("The engine speaks protocol version {theirs}, the add-on version {ours}.", theirs=theirs, ours=ours),
        phrase("Update the engine: press Install Engine.") if older == "engine" else phrase("Update the add-on."),
    )


def _first(text: str, limit: int = 240) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit] + "..."
