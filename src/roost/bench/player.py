"""Carries out the steps of a workload on a live cluster, and knows what it has made, so that it can be taken away.

Nodes and namespaces are made once and stay from run to run. Everything else goes at the end of a run.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import singledispatchmethod
from typing import Any

import msgspec

from roost.api.kinds import POD
from roost.bench.load import Load, collection_path, resource_for
from roost.bench.steps import (
    Barrier,
    Churn,
    CreateNamespaces,
    CreateNodes,
    CreateObjects,
    CreatePods,
    DeletePods,
    Sleep,
    Step,
)
from roost.bench.watchers import Watcher
from roost.bench.workload import churn_objects, namespace_object, namespace_objects, node_objects, step_objects
from roost.errors import RoostError

NODES, NAMESPACES = "/api/v1/nodes", "/api/v1/namespaces"
LABEL = "roost.dev/bench"
LABELS = {LABEL: "true"}
NO_PROGRESS = 120.0
"""Seconds without a single bind after which a run has failed."""

ACCOUNT_SECONDS = 10.0
_LOOK = 0.5
_ATTEMPTS_LOOK = 1.0


class Player:
    """Plays steps with one load; `check` raises if the scheduler has died.

    `measured` has the measured pods by `namespace/name`, `may_wait` the beginnings of those that need not be bound.
    """

    def __init__(self, load: Load, scheduler_name: str) -> None:
        self.load = load
        self.scheduler_name = scheduler_name
        self.namespaces: set[str] = set()
        self.measured: list[str] = []
        self.may_wait: list[str] = []
        self.check: Callable[[], None] = lambda: None
        self._nodes_made: set[int] = set()
        self._made: list[str] = []
        self._expected: list[str] = []
        self._background: set[asyncio.Task[None]] = set()
        self._bound: Watcher | None = None

    @asynccontextmanager
    async def watching(self, bound: Watcher) -> AsyncIterator[None]:
        """Play with this watcher of binds; what goes on in the background ends with the context."""
        self._bound = bound
        try:
            yield
        finally:
            tasks = tuple(self._background)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._background.clear()

    async def play(self, steps: Iterable[Step]) -> None:
        """Carry out steps, one after the other."""
        for step in steps:
            await self._play(step)
            self._check_background()

    async def create_pods(
        self, step: CreatePods, keys: list[str] | None = None, *, rate: float | None = None
    ) -> list[str]:
        """Create a step's pods without waiting for their binds; return their `namespace/name`, in `keys` if given."""
        keys = [] if keys is None else keys
        await self.need_namespaces([step.namespace])
        await self.load.create_pods(step, self.scheduler_name, keys, rate=rate)
        self._expected += keys
        if step.measured:
            self.measured += keys
        elif step.skip_wait:
            self.may_wait.append(f"{step.namespace}/{step.prefix}-")
        return keys

    async def wait_bound(self, keys: Iterable[str]) -> None:
        """Wait until these pods are bound; raises RoostError if nothing is bound any more before that."""
        assert self._bound is not None, "wait_bound is called while watching"
        missing = total = self._bound.expect(keys)
        moved = time.monotonic()
        while not await self._bound.wait(_LOOK):
            self.check()
            self._check_background()
            if self._bound.missing < missing:
                missing, moved = self._bound.missing, time.monotonic()
            elif time.monotonic() - moved > NO_PROGRESS:
                raise RoostError(f"{missing} of {total} pods are not bound, and none was for {NO_PROGRESS:g} s")

    async def need_namespaces(self, names: Iterable[str]) -> None:
        """Create the namespaces that are not there yet."""
        new = [name for name in names if name and name not in self.namespaces]
        for name in dict.fromkeys(new):
            await self._create_namespace(namespace_object(name, LABELS))

    async def _create_namespace(self, manifest: Mapping[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        await self.load.create([(NAMESPACES, msgspec.json.encode(manifest))])
        self.namespaces.add(name)
        if not self.load.may_exist:
            await self._wait_account(name)

    async def _wait_account(self, namespace: str) -> None:
        """Wait for the account without which a cluster with controllers refuses pods."""
        deadline = time.monotonic() + ACCOUNT_SECONDS
        while "default" not in await self.load.names(f"{NAMESPACES}/{namespace}/serviceaccounts"):
            if time.monotonic() > deadline:
                return  # there may be no such controller, and then nobody asks for the account
            await asyncio.sleep(_LOOK)

    async def clear(self) -> None:
        """Delete what the steps made, except nodes and namespaces, and what was said about it in events."""
        for namespace in sorted(self.namespaces):
            await self.load.delete_collection(f"{NAMESPACES}/{namespace}/pods")
        await self.load.delete(reversed(self._made))
        for namespace in sorted(self.namespaces):
            await self.load.delete_collection(f"{NAMESPACES}/{namespace}/events")
        self._made.clear()
        self._expected.clear()
        self.measured.clear()
        self.may_wait.clear()
        self.load.sent.clear()

    def _check_background(self) -> None:
        for task in [task for task in self._background if task.done()]:
            self._background.discard(task)
            task.result()

    # ---- the steps

    @singledispatchmethod
    async def _play(self, step: Step) -> None:
        raise TypeError(f"no such step: {step!r}")

    @_play.register
    async def _(self, step: CreateNodes) -> None:
        if step.first in self._nodes_made:
            return
        await self.load.create((NODES, msgspec.json.encode(node)) for node in node_objects(step, LABELS))
        self._nodes_made.add(step.first)

    @_play.register
    async def _(self, step: CreateNamespaces) -> None:
        for one in namespace_objects(step, LABELS):
            if one["metadata"]["name"] not in self.namespaces:
                await self._create_namespace(one)

    @_play.register
    async def _(self, step: CreateObjects) -> None:
        await self.need_namespaces([step.namespace])
        self._made += await self.load.create_objects(step_objects(step))

    @_play.register
    async def _(self, step: CreatePods) -> None:
        keys = await self.create_pods(step)
        if not step.skip_wait:
            await self.wait_bound(keys)

    @_play.register
    async def _(self, step: Barrier) -> None:
        within = set(step.namespaces)
        if step.stage == "Attempted":
            await self._wait_attempted(within or self.namespaces)
        else:
            await self.wait_bound([key for key in self._expected if not within or key.partition("/")[0] in within])

    @_play.register
    async def _(self, step: Sleep) -> None:
        await asyncio.sleep(step.seconds)

    @_play.register
    async def _(self, step: DeletePods) -> None:
        path = f"{NAMESPACES}/{step.namespace}/pods"
        names = await self.load.names(path)
        keys = {f"{step.namespace}/{name}" for name in names}
        self._expected = [key for key in self._expected if key not in keys]
        work = self._delete_pods([f"{path}/{name}" for name in names], step.per_second)
        if step.skip_wait:
            self._background.add(asyncio.create_task(work, name=f"delete pods of {step.namespace}"))
        else:
            await work

    @_play.register
    async def _(self, step: Churn) -> None:
        await self.need_namespaces([step.namespace])
        self.may_wait.append(f"{step.namespace}/{step.prefix}-")
        self._background.add(asyncio.create_task(self._churn(step), name=f"churn {step.prefix}"))

    async def _delete_pods(self, paths: list[str], per_second: int) -> None:
        if not per_second:
            await self.load.delete(paths)
            return
        began = time.monotonic()
        for number, path in enumerate(paths):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            await self.load.delete([path])

    async def _churn(self, step: Churn) -> None:
        if step.mode == "create":
            for number in range(step.number) if step.number else itertools.count():
                await self._churn_once(step, number)
                await asyncio.sleep(step.interval)
            return
        while True:
            made = []
            for number in range(step.number):
                made.append(await self._churn_once(step, number))
                await asyncio.sleep(step.interval)
            for paths in made:
                await self.load.delete(paths)
                await asyncio.sleep(step.interval)

    async def _churn_once(self, step: Churn, number: int) -> list[str]:
        objects = list(churn_objects(step, number, self.scheduler_name))
        paths = [f"{collection_path(resource_for(one), one)}/{one['metadata']['name']}" for one in objects]
        self._made += paths  # before they are: an end in between leaves none behind
        await self.load.create_objects(objects)
        return paths

    async def _wait_attempted(self, namespaces: Iterable[str]) -> None:
        deadline = time.monotonic() + NO_PROGRESS
        while not await self._all_attempted(namespaces):
            self.check()
            if time.monotonic() > deadline:
                raise RoostError(f"some pods have not been tried within {NO_PROGRESS:g} s")
            await asyncio.sleep(_ATTEMPTS_LOOK)

    async def _all_attempted(self, namespaces: Iterable[str]) -> bool:
        for namespace in namespaces:
            for pod in (await self.load.cluster.list(POD, namespace=namespace)).items:
                said = {condition.type for condition in pod.status.conditions or ()}
                if not pod.spec.node_name and "PodScheduled" not in said:
                    return False
        return True
