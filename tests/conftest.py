"""What holds for the whole suite: tests that need a CUDA device are left out where there is none; caches stay apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest_plugins = ["reference.saved_pipelines"]


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
