"""What holds for the whole suite.

Tests that need a CUDA device are left out where there is none. Caches stay apart. Threads that wait do not compute.
Tests that take long and are not marked `slow` are named at the end, so that the quick suite stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator

import pytest

pytest_plugins = ["reference.own_installer", "reference.saved_pipelines"]

# Where other programs use the cores too, torch's threads else spend most of their time spinning while they wait for
# each other. It is read when torch is loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SLOW_S = 1.0  # of processor time, over all threads and the processes that have ended
LONG = pytest.StashKey[dict[str, float]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests marked `cuda` where torch finds no device; torch is asked only when there are such tests."""
    marked = [item for item in items if item.get_closest_marker("cuda") is not None]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor any process that one starts, writes into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMFUSION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads of torch and of the kernels, for this test."""
    import torch

    from dreamfusion_engine.machine import warp_runtime

    before = torch.get_num_threads(), warp_runtime.threads()

    def both(count: int) -> None:
        torch.set_num_threads(count)
        warp_runtime.set_threads(count)

    yield both
    torch.set_num_threads(before[0])
    warp_runtime.set_threads(before[1])


def processor_s() -> float:
    """Seconds that this process and those that it has waited for have computed."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Note how long a test that no mark takes out of the quick suite computes, with its fixtures."""
    before = processor_s()
    done = yield
    seconds = processor_s() - before
    if seconds > SLOW_S and not any(item.get_closest_marker(name) for name in ("slow", "blender")):
        item.config.stash.setdefault(LONG, {})[item.nodeid] = seconds
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A hint, no failure: the first test of a run also pays for what it loads, and machines differ."""
    long = config.stash.get(LONG, {})
    if long:
        terminalreporter.write_line(f"Over {SLOW_S} s of processor time, and not marked slow:")
        for name, seconds in sorted(long.items(), key=lambda entry: -entry[1]):
            terminalreporter.write_line(f"  {seconds:5.1f} s  {name}")
