"""As much of Ray as the engine uses, in threads of this process: for tests where Ray is not installed.

`installed(cluster)` puts it in the place of Ray. A `Cluster` has nodes that a test can kill or spoil. test_ray_place.py
holds the engine against Ray itself, where that is there.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any


class RayError(Exception):
    """As ray.exceptions.RayError."""


class RayActorError(RayError):
    """An actor is gone."""


class RayTaskError(RayError):
    """A call raised an exception, which is its cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class GetTimeoutError(RayError, TimeoutError):
    """An answer did not come in time."""


@dataclass
class PretendNode:
    """A node.

    resources: by Ray's names.
    says: over what `facts` says there.
    spoiled: raised by every actor's method `begin`, and by `facts` if it is no OSError; None for none.
    """

    resources: dict[str, float] = field(default_factory=lambda: {"CPU": 1.0, "memory": 64e9})
    says: dict[str, Any] = field(default_factory=dict)
    spoiled: Exception | None = None
    alive: bool = True
    actors: list[PretendActor] = field(default_factory=list)


class Cluster:
    """Nodes by their id."""

    def __init__(self, **nodes: PretendNode) -> None:
        self.nodes = nodes

    def kill(self, name: str) -> None:
        """A node dies, with all that runs on it."""
        node = self.nodes[name]
        node.alive = False
        for actor in node.actors:
            actor.die()


class PretendActor:
    """An object on a node, whose methods run one after another in a thread of its own."""

    def __init__(self, node: PretendNode, made: Callable[[], Any]) -> None:
        self._node, self._thread, self._open = node, ThreadPoolExecutor(1), list[Future[Any]]()
        self._lock, self.dead = threading.Lock(), False
        self._object: Any = None
        self._thread.submit(self._make, made)

    def _make(self, made: Callable[[], Any]) -> None:
        self._object = made()

    def __getattr__(self, name: str) -> Any:
        return types.SimpleNamespace(remote=lambda *words: self._call(name, words))

    def _call(self, name: str, words: tuple[Any, ...]) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self.dead or not self._node.alive:
                answer.set_exception(RayActorError("The actor died."))
                return answer
            self._open.append(answer)
        self._thread.submit(self._work, answer, name, words)
        return answer

    def _work(self, answer: Future[Any], name: str, words: tuple[Any, ...]) -> None:
        try:
            if name == "begin" and self._node.spoiled is not None:
                raise self._node.spoiled
            said = getattr(self._object, name)(*words)
        except Exception as error:
            self._settle(answer, None, RayTaskError(error))
        else:
            self._settle(answer, said, None)

    def _settle(self, answer: Future[Any], said: Any, error: Exception | None) -> None:
        with self._lock:
            if not answer.done():
                answer.set_exception(error) if error is not None else answer.set_result(said)

    def die(self) -> None:
        """End, with the process that it has begun; nobody hears of that one any more."""
        with self._lock:
            self.dead = True
            for answer in self._open:
                if not answer.done():
                    answer.set_exception(RayActorError("The actor died."))
        for process in (getattr(self._object, name, None) for name in ("_process", "_talk")):
            if process is not None:
                process.kill()


class _Remote:
    def __init__(self, cluster: Cluster, what: Any, options: dict[str, Any] | None = None) -> None:
        self._cluster, self._what, self._options = cluster, what, options or {}

    def options(self, **more: Any) -> _Remote:
        return _Remote(self._cluster, self._what, more)

    def remote(self, *words: Any) -> Any:
        node = self._cluster.nodes[self._options["scheduling_strategy"].node_id]
        if isinstance(self._what, type):
            node.actors.append(PretendActor(node, lambda: self._what(*words)))
            return node.actors[-1]
        answer: Future[Any] = Future()
        if not node.alive:
            answer.set_exception(RayActorError("The node died."))
        elif node.spoiled is not None and not isinstance(node.spoiled, OSError):
            answer.set_exception(RayTaskError(node.spoiled))
        else:
            answer.set_result({**self._what(*words), **node.says})
        return answer


def modules(cluster: Cluster) -> dict[str, types.ModuleType]:
    """What `import ray` finds, by name, with a cluster in Ray's place."""
    ray = types.ModuleType("ray")
    ray.__spec__ = ModuleSpec("ray", None)

    def waited(refs: list[Future[Any]], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        wait(refs, timeout=timeout, return_when=FIRST_COMPLETED)
        return [ref for ref in refs if ref.done()], [ref for ref in refs if not ref.done()]

    def got(ref: Future[Any], timeout: float | None = None) -> Any:
        try:
            return ref.result(timeout)
        except NotInTime as error:
            raise GetTimeoutError(str(error)) from error

    def listed() -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "Alive": node.alive, "NodeManagerAddress": f"10.0.0.{number}", "Resources": node.resources}
            for number, (name, node) in enumerate(cluster.nodes.items())
        ]

    strategies = types.ModuleType("ray.util.scheduling_strategies")
    private = types.ModuleType("ray._private")
    services = types.ModuleType("ray._private.services")
    vars(strategies)["NodeAffinitySchedulingStrategy"] = lambda node_id, soft: types.SimpleNamespace(node_id=node_id)
    vars(private)["services"] = services
    exceptions = types.SimpleNamespace(RayError=RayError, RayActorError=RayActorError, GetTimeoutError=GetTimeoutError)
    vars(ray).update(
        init=lambda **words: None,
        shutdown=lambda: None,
        remote=lambda what: _Remote(cluster, what),
        wait=waited,
        get=got,
        kill=lambda actor: actor.die(),
        nodes=listed,
        exceptions=exceptions,
    )
    names = {"ray": ray, "ray.util": types.ModuleType("ray.util"), "ray.util.scheduling_strategies": strategies}
    return names | {"ray._private": private, "ray._private.services": services}


@contextlib.contextmanager
def installed(cluster: Cluster) -> Iterator[None]:
    """Put a cluster in Ray's place, for modules that are imported now."""
    ours = ("dreamfusion_engine.batch.ray_driver", "dreamfusion_engine.batch.ray_cluster")
    names = modules(cluster)
    before = {name: sys.modules.pop(name, None) for name in (*names, *ours)}
    sys.modules.update(names)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
