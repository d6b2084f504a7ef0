"""Creates and deletes what a workload says, with many requests under way.

Bodies come as bytes, and the API server is asked to answer with metadata only: the load must not be what is measured.
Its own CPU is in every report.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from roost.apiserver.resources import Resource, resource_of_kind
from roost.bench.steps import CreatePods
from roost.bench.watchers import PARTIAL, PARTIAL_LIST
from roost.bench.workload import pod_bodies
from roost.client import ConnectionInfo, connect
from roost.client.request import JSON
from roost.client.transport import Transport
from roost.errors import ApiError, ConfigError, Conflict, NotFound, OutcomeUnknown, TooManyRequests

IN_FLIGHT = 128
REQUEST_SECONDS = 120.0
MERGE_PATCH = "application/merge-patch+json"
_LISTS = 4
_PATIENCE = 1.0
_TRIES = 20

Request = tuple[str, bytes]


class _Metadata(Struct, frozen=True):
    name: str = ""


class _Object(Struct, frozen=True):
    metadata: _Metadata = _Metadata()


class _Names(Struct, frozen=True):
    items: list[_Object] | None = None


class Load:
    """The client of a benchmark: `objects` for many small requests, `lists` for collections, `streams` for watches,
    `cluster` for objects in full.

    `sent` has the moment at which the creation of each pod was sent, by `namespace/name`.
    """

    def __init__(self, info: ConnectionInfo, *, may_exist: bool = True, in_flight: int = IN_FLIGHT) -> None:
        self.may_exist = may_exist
        self.in_flight = in_flight
        self.sent: dict[str, float] = {}
        self.objects = Transport(info, connections=in_flight, timeout=REQUEST_SECONDS, accept=PARTIAL)
        self.lists = Transport(info, connections=_LISTS, timeout=REQUEST_SECONDS, accept=PARTIAL_LIST)
        self.streams = Transport(info, connections=1, accept=PARTIAL)
        self.cluster = connect(info, connections=_LISTS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for transport in (self.objects, self.lists, self.streams, self.cluster):
            await transport.close()

    async def create_pods(
        self, step: CreatePods, scheduler_name: str, keys: list[str], *, rate: float | None = None
    ) -> None:
        """Create a step's pods, as fast as can be or so many per second; `keys` gets each `namespace/name`."""
        path = f"/api/v1/namespaces/{step.namespace}/pods"
        bodies = enumerate(pod_bodies(step, scheduler_name))
        began = time.monotonic()

        async def worker() -> None:
            for number, (name, body) in bodies:
                if rate:
                    await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                key = f"{step.namespace}/{name}"
                keys.append(key)
                self.sent[key] = time.monotonic()
                await self._write("POST", path, body)

        await self._all(worker() for _ in range(min(self.in_flight, step.count)))

    async def create(self, requests: Iterable[Request]) -> None:
        """Send a POST for each; raises Conflict for what exists already, unless `may_exist` says that it is ours."""
        waiting = iter(requests)

        async def worker() -> None:
            for path, body in waiting:
                await self._write("POST", path, body)

        await self._all(worker() for _ in range(self.in_flight))

    async def create_objects(self, objects: Iterable[Mapping[str, Any]]) -> list[str]:
        """Create objects of any kinds, with their status; return their paths."""
        paths = []
        for one in objects:
            resource = resource_for(one)
            path = collection_path(resource, one)
            await self._write("POST", path, msgspec.json.encode(one))
            paths.append(f"{path}/{one['metadata']['name']}")
            if one.get("status") and resource.has_status and resource.kind != "Node":
                status = msgspec.json.encode({"status": one["status"]})
                await self.objects.request("PATCH", f"{paths[-1]}/status", status, MERGE_PATCH)
        return paths

    async def delete(self, paths: Iterable[str]) -> None:
        """Delete objects at once, without a grace period; what is gone already is gone."""
        named = list(paths)
        waiting = iter(named)

        async def worker() -> None:
            for path in waiting:
                await self._write("DELETE", path, DELETE_NOW)

        await self._all(worker() for _ in range(min(self.in_flight, len(named))))

    async def delete_collection(self, path: str, query: str = "") -> None:
        """Delete what a query selects of a collection, without a grace period, and return when all is gone."""
        while await self.names(path, f"limit=1&{query}"):
            try:
                await self.lists.request("DELETE", f"{path}?{query}", DELETE_NOW)
            except (OutcomeUnknown, TooManyRequests):
                await asyncio.sleep(_PATIENCE)

    async def names(self, path: str, query: str = "") -> list[str]:
        """Return the names in a collection; none if there is no such collection."""
        try:
            answer = await self.lists.request("GET", f"{path}?{query}")
        except NotFound:
            return []
        return [item.metadata.name for item in msgspec.json.decode(answer.body, type=_Names).items or ()]

    async def _all(self, workers: Iterator[Any]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _write(self, method: str, path: str, body: bytes) -> None:
        exists_is_fine = self.may_exist
        for _ in range(_TRIES):
            try:
                await self.objects.request(method, path, body, JSON)
            except OutcomeUnknown:
                exists_is_fine = True
            except TooManyRequests as busy:
                await asyncio.sleep(busy.retry_after or _PATIENCE)
            except NotFound:
                if method != "DELETE":
                    raise
                return
            except Conflict:
                if not exists_is_fine:
                    raise
                return
            else:
                return
        raise ApiError(f"{method} {path}: the API server did not take it in {_TRIES} attempts")


DELETE_NOW = msgspec.json.encode(
    {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background"}
)


def resource_for(manifest: Mapping[str, Any]) -> Resource:
    """Return the resource of a manifest; raises ConfigError for a kind that is not known."""
    api_version, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
    found = resource_of_kind(api_version, kind)
    if found is None:
        raise ConfigError(f"{api_version} {kind}: the workload wants an object of a kind that is not known here")
    return found


def collection_path(resource: Resource, manifest: Mapping[str, Any]) -> str:
    """Return the URL path under which an object is created."""
    root = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
    namespace = manifest["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if resource.namespaced else ""
    return f"{root}{inside}/{resource.plural}"
