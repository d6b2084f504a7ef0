"""A tiny cluster in memory: resourceVersions, watches with selectors, the rules of binding, and faults on demand."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import msgspec

from roost.api.field_selectors import field_selector_matches, parse_field_selector
from roost.api.kinds import EVENT, NODE, POD, Kind
from roost.errors import ApiError, Conflict, Gone, NotFound, OutcomeUnknown, Unreachable
from roost.framework.cluster import Listing, Malformed, WatchEvent

Object = dict[str, Any]


@dataclass
class Fault:
    """What goes wrong with a request: before it takes effect, or after it (the answer is lost).

    `concerns` is asked about the key of the object, or the plural name where a request has none.
    """

    error: Exception | None
    after: bool = False
    seconds: float = 0.0
    times: int = 1
    concerns: Callable[[str], bool] = lambda key: True


@dataclass
class FakeCluster:
    """Objects by kind and key; every write has a resourceVersion and lands in the log that watches read."""

    latency: float = 0.0
    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    version: int = 0
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    bindings: Counter[str] = field(default_factory=Counter)
    is_up: bool = True

    def __post_init__(self) -> None:
        self._log: deque[tuple[int, str, str, Object, Object | None]] = deque()
        self._kept_since = 0
        self._news: set[asyncio.Event] = set()
        self._generation = 0
        self._faults: dict[str, list[Fault]] = {}
        self._uids = 0

    # ---- what tests do

    def add(self, kind: Kind[Any], value: Any) -> Object:
        """Store an object as if somebody had created it."""
        obj: Object = value if isinstance(value, dict) else msgspec.to_builtins(value)
        obj = deepcopy(obj)
        self._uids += 1
        metadata = obj.setdefault("metadata", {})
        metadata["uid"] = f"uid-{self._uids}"
        metadata["generation"] = 1
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        return self._store(kind, "ADDED", obj)

    def change(self, kind: Kind[Any], key: str, **parts: Any) -> Object:
        """Merge changes into an object; None deletes a field."""
        return self._store(kind, "MODIFIED", merged(self.objects[kind.plural][key], parts))

    def remove(self, kind: Kind[Any], key: str) -> None:
        """Delete an object."""
        obj = deepcopy(self.objects[kind.plural].pop(key))
        self._append(kind, "DELETED", obj, obj)

    def place(self, key: str, node_name: str) -> None:
        """Bind a pod as another scheduler would."""
        self.change(POD, key, spec={"nodeName": node_name})

    def fail(self, verb: str, error: Exception | None, **how: Any) -> None:
        """Have the next requests of a verb fail, or only be slow."""
        self._faults.setdefault(verb, []).append(Fault(error, **how))

    def cut_watches(self) -> None:
        """End all watches."""
        self._generation += 1
        self._tell()

    def compact(self) -> None:
        """Forget the past: watches from older versions are refused."""
        self._log.clear()
        self._kept_since = self.version

    def get_object(self, kind: Kind[Any], key: str) -> Object:
        return self.objects[kind.plural][key]

    def pod(self, key: str) -> Object:
        return self.objects[POD.plural][key]

    def node_of(self, key: str) -> str:
        return str(self.pod(key)["spec"].get("nodeName", ""))

    def placements(self) -> dict[str, str]:
        return {key: self.node_of(key) for key in self.objects.get(POD.plural, {}) if self.node_of(key)}

    def condition(self, key: str) -> Object:
        conditions = self.pod(key).get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == "PodScheduled"), {})

    def events(self, reason: str, name: str | None = None) -> list[Object]:
        found = self.objects.get(EVENT.plural, {}).values()
        return [e for e in found if e["reason"] == reason and name in (None, e["regarding"]["name"])]

    def asked(self, verb: str, kind: Kind[Any] | None = None, key: str | None = None) -> int:
        """Count the requests of a verb."""
        return sum(
            called == verb and (kind is None or plural == kind.plural) and key in (None, which)
            for called, plural, which in self.calls
        )

    # ---- Cluster

    async def list(
        self, kind: Kind[Any], *, namespace: str = "", field_selector: str = "", label_selector: str = ""
    ) -> Listing[Any]:
        async def listing() -> Listing[Any]:
            items, malformed = [], []
            for key, obj in self.objects.get(kind.plural, {}).items():
                if selected(obj, field_selector):
                    decoded = decode(kind, key, obj)
                    (malformed if isinstance(decoded, Malformed) else items).append(decoded)
            return Listing(items, str(self.version), malformed)

        return await self._request("list", kind, "", listing)

    async def watch(
        self,
        kind: Kind[Any],
        *,
        resource_version: str,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
    ) -> AsyncIterator[Any]:
        async def begin() -> None:
            if int(resource_version) < self._kept_since:
                raise Gone("the version is too old", status=410)

        await self._request("watch", kind, "", begin)
        version, generation = int(resource_version), self._generation
        news = asyncio.Event()
        self._news.add(news)
        try:
            while generation == self._generation:
                entries = [entry for entry in self._log if entry[0] > version and entry[1] == kind.plural]
                version = self.version
                events = [e for e in (watch_event(kind, field_selector, *entry) for entry in entries) if e is not None]
                if events:
                    yield events
                    continue
                news.clear()
                await news.wait()
        finally:
            self._news.discard(news)

    async def get(self, kind: Kind[Any], name: str, namespace: str = "") -> Any:
        key = key_of(name, namespace)

        async def read() -> Any:
            return decoded(kind, key, self._existing(kind, key))

        return await self._request("get", kind, key, read)

    async def create(self, kind: Kind[Any], body: bytes, namespace: str = "") -> Any:
        obj = json.loads(body)
        key = key_of(obj["metadata"]["name"], namespace)

        async def write() -> Any:
            if key in self.objects.get(kind.plural, {}):
                raise Conflict(f"{key} already exists", status=409, reason="AlreadyExists")
            obj["metadata"].setdefault("namespace", namespace)
            return decoded(kind, key, self.add(kind, obj))

        return await self._request("create", kind, key, write)

    async def post(self, kind: Kind[Any], body: bytes, namespace: str = "") -> None:
        await self.create(kind, body, namespace)

    async def update(self, kind: Kind[Any], name: str, body: bytes, namespace: str = "") -> Any:
        obj, key = json.loads(body), key_of(name, namespace)

        async def write() -> Any:
            existing = self._existing(kind, key)
            version = obj["metadata"].get("resourceVersion")
            if version is not None and version != existing["metadata"]["resourceVersion"]:
                raise Conflict(f"{key} has changed", status=409)
            return decoded(kind, key, self._store(kind, "MODIFIED", obj))

        return await self._request("update", kind, key, write)

    async def patch(self, kind: Kind[Any], name: str, patch: Any, namespace: str = "", *, subresource: str = "") -> Any:
        key = key_of(name, namespace)

        async def write() -> Any:
            existing = self._existing(kind, key)
            uid = patch.get("metadata", {}).get("uid")
            if uid is not None and uid != existing["metadata"]["uid"]:
                raise Conflict(f"{key} is another object", status=409)
            version = patch.get("metadata", {}).get("resourceVersion")
            if version is not None and version != existing["metadata"]["resourceVersion"]:
                raise Conflict(f"{key} has changed", status=409)
            return decoded(kind, key, self._store(kind, "MODIFIED", merged(existing, patch)))

        return await self._request(f"patch {subresource}".strip(), kind, key, write)

    async def delete(
        self, kind: Kind[Any], name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        key = key_of(name, namespace)

        async def write() -> None:
            self._existing(kind, key)
            self.remove(kind, key)

        await self._request("delete", kind, key, write)

    async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
        key = key_of(name, namespace)

        async def write() -> None:
            pod = self._existing(POD, key)
            if pod["metadata"]["uid"] != uid:
                raise Conflict(f"{key} has another uid", status=409)
            if pod["metadata"].get("deletionTimestamp"):
                raise Conflict(f"pod {name} is being deleted, cannot be assigned to a host", status=409)
            if pod["spec"].get("nodeName"):
                raise Conflict(f"pod {name} is already assigned to node {pod['spec']['nodeName']}", status=409)
            self.bindings[key] += 1
            scheduled = {"type": "PodScheduled", "status": "True", "reason": "", "message": ""}
            self.change(POD, key, spec={"nodeName": node_name}, status={"conditions": [scheduled]})

        await self._request("bind", POD, key, write)

    async def evict(self, namespace: str, name: str, uid: str = "") -> None:
        await self.delete(POD, name, namespace)

    # ---- inside

    async def _request(self, verb: str, kind: Kind[Any], key: str, effect: Callable[[], Any]) -> Any:
        self.calls.append((verb, kind.plural, key))
        await asyncio.sleep(self.latency)
        if not self.is_up:
            raise Unreachable("connection refused")
        fault = self._fault(verb, key or kind.plural)
        if fault is not None:
            await asyncio.sleep(fault.seconds)
            if fault.error is not None and not fault.after:
                raise fault.error
        result = await effect()
        if fault is not None and fault.error is not None:
            raise fault.error
        return result

    def _fault(self, verb: str, key: str) -> Fault | None:
        for fault in self._faults.get(verb, []):
            if fault.times > 0 and fault.concerns(key):
                fault.times -= 1
                return fault
        return None

    def _existing(self, kind: Kind[Any], key: str) -> Object:
        found = self.objects.get(kind.plural, {}).get(key)
        if found is None:
            raise NotFound(f"{kind.plural} {key!r} not found", status=404)
        return found

    def _store(self, kind: Kind[Any], type_: str, obj: Object) -> Object:
        metadata = obj["metadata"]
        key = key_of(metadata["name"], metadata.get("namespace", "") if kind.namespaced else "")
        old = self.objects.setdefault(kind.plural, {}).get(key)
        self.objects[kind.plural][key] = obj
        self._append(kind, type_, obj, old)
        return obj

    def _append(self, kind: Kind[Any], type_: str, obj: Object, old: Object | None) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._log.append((self.version, kind.plural, type_, obj, old))
        self._tell()

    def _tell(self) -> None:
        for news in self._news:
            news.set()


def key_of(name: str, namespace: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def decode(kind: Kind[Any], key: str, obj: Object) -> Any:
    try:
        return msgspec.convert(obj, kind.type)
    except msgspec.ValidationError as error:
        return Malformed(key, str(error))


def decoded(kind: Kind[Any], key: str, obj: Object) -> Any:
    value = decode(kind, key, obj)
    if isinstance(value, Malformed):
        raise ApiError(value.problem)
    return value


def selected(obj: Object, field_selector: str) -> bool:
    fields = {
        "status.phase": obj.get("status", {}).get("phase", ""),
        "spec.nodeName": obj.get("spec", {}).get("nodeName", ""),
    }
    return field_selector_matches(parse_field_selector(field_selector), fields)


def watch_event(
    kind: Kind[Any], field_selector: str, version: int, plural: str, type_: str, obj: Object, old: Object | None
) -> WatchEvent[Any] | None:
    """Show a change as a watch with this selector sees it: what stops to match is gone for it."""
    now = type_ != "DELETED" and selected(obj, field_selector)
    before = old is not None and selected(old, field_selector)
    if not now and not before:
        return None
    seen_as = "MODIFIED" if now and before else "ADDED" if now else "DELETED"
    value = decode(kind, key_of(obj["metadata"]["name"], obj["metadata"].get("namespace", "")), obj)
    if isinstance(value, Malformed):
        return WatchEvent("MALFORMED", None, str(version), value)
    return WatchEvent(seen_as, value, str(version))


def merged(obj: Object, changes: Any) -> Object:
    """Return an object with changes merged in; conditions by their type, None removes."""
    result = deepcopy(obj)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif name == "conditions":
            by_type = {one["type"]: one for one in result.get(name, [])}
            for one in value:
                by_type[one["type"]] = by_type.get(one["type"], {}) | one
            result[name] = list(by_type.values())
        elif isinstance(value, dict):
            result[name] = merged(result.get(name) or {}, value)
        else:
            result[name] = value
    return result


LOST = OutcomeUnknown("the connection broke")
__all__ = ["LOST", "NODE", "POD", "FakeCluster"]
