"""What goes wrong with a Ray cluster, in the engine's own words. Ray is not imported here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dreamfusion_engine.errors import EngineError, InputError, RunError, SetupError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.inputs.outside_text import first_line

EXTRA = 'python -m pip install "ray[client]"'  # what the extra `ray` of pyproject.toml asks for
SAME = ("engine", "python", "torch")  # what decides a mesh to the bit


def no_ray() -> SetupError:
    """Return the error for an environment without Ray."""
    return SetupError(
        "setup.ray",
        what="Ray is not installed.",
        why="A batch on a cluster needs it, and the engine's environment has none. Nothing else needs it.",
        fix=f"Run {EXTRA} with the engine's Python, on every machine; or leave --on out.",
    )


def no_answer(address: str, why: str) -> SetupError:
    """Return the error for an address that does not answer.

    address: str.
    why: str, what the system said.
    """
    return SetupError(
        "setup.cluster",
        what="The Ray cluster does not answer.",
        why=f"{address}: {why}.",
        fix="Is it running? `ray start --head --port=6379` starts one. A client's port (ray://) is 10001 as a default. "
        "A firewall may close the port.",
    )


def several_heads(addresses: Sequence[str]) -> InputError:
    """Return the error for a machine with more than one cluster.

    addresses: HOST:PORT each.
    """
    found = sorted(addresses)
    return InputError(
        "input.cluster",
        what="More than one Ray cluster runs on this machine.",
        why=f"There are heads at {', '.join(found)[:300]}, and --on ray says none of them.",
        fix=f"Say which: --on {found[0]}, or set RAY_ADDRESS. `ray stop` ends those that are left over.",
    )


def cluster_error(error: BaseException, address: str) -> EngineError:
    """Return what an exception of Ray means that came while it connected.

    error: BaseException.
    address: str, as it was asked for.
    """
    text = str(error)
    if "ersion mismatch" in text:
        versions = re.findall(r"(Ray|Python): ([\w.+-]{1,30})", text)
        said = ", ".join(f"{name} {version}" for name, version in versions) or first_line(text)
        half = len(versions) // 2
        if half and len(versions) % 2 == 0:
            theirs, ours = (
                " and ".join(f"{name} {version}" for name, version in part)
                for part in (versions[:half], versions[half:])
            )
            said = f"It has {theirs}; this environment has {ours}"
        return SetupError(
            "setup.ray_version",
            what="The Ray cluster is of another version.",
            why=f"{said}.",
            fix='Install the cluster\'s version here, such as python -m pip install "ray[client]==VERSION", with the '
            "same Python; or bring the cluster to this one.",
        )
    if isinstance(error, ImportError):
        return SetupError(
            "setup.ray",
            what="Ray is not complete here.",
            why=first_line(text),
            fix=f"Run {EXTRA} with the engine's Python.",
        )
    return no_answer(address, first_line(text).rstrip(".") or type(error).__name__)


def unlike(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return in which way a machine would make other meshes than this one; '' where it would not.

    here, there: as `ray_node.facts`.
    """
    differ = [f"{name} {there.get(name)}" for name in SAME if here.get(name) != there.get(name)]
    wanted = [f"{name} {here.get(name)}" for name in SAME if here.get(name) != there.get(name)]
    return f"it has {', '.join(differ)}, and this machine {', '.join(wanted)}" if differ else ""


def no_machine(reasons: Sequence[str]) -> SetupError:
    """Return the error for a cluster none of whose machines can work.

    reasons: str each.
    """
    return SetupError(
        "setup.cluster_machines",
        what="No machine of the cluster can make objects.",
        why="; ".join(reasons)[:1500] or "The cluster has no machine that is alive.",
        fix="Install the same engine with the same Python on each machine, and start Ray there from that environment.",
    )


def one_card(device: str) -> InputError:
    """Return the error for a device by its name or number, which a cluster chooses itself.

    device: str, as it was asked for.
    """
    return InputError(
        "input.device",
        what="A cluster chooses the card of a job itself.",
        why=f"The device {shortened(device)} names one.",
        fix="Choose cuda, cpu or auto.",
    )


def head_lost(why: str) -> RunError:
    """Return the error for a cluster that went away under the jobs of a client.

    why: str.
    """
    return RunError(
        "run.cluster_gone",
        what="The Ray cluster is gone.",
        why=f"{why[:1].upper()}{why[1:]}.",
        fix="Start it again, and resume the job: it goes on from the last checkpoint that came back.",
    )


def cluster_gone(seconds: float) -> RunError:
    """Return the error for a cluster that went away in the middle and did not come back.

    seconds: float, for which it was waited.
    """
    return RunError(
        "batch.cluster_gone",
        what="The Ray cluster is gone.",
        why=f"Its head has not answered for {seconds:.0f} seconds.",
        fix="Start it again and give the same command: what is done stays, and runs go on from the checkpoints that "
        "came back. With --on local they go on here.",
    )
