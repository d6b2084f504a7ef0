"""Stores with a clock that stands still, and small objects to put into them."""

from dataclasses import dataclass, field
from typing import Any

from roost.apiserver.bindings import bind, binding_to
from roost.apiserver.resources import NODE, POD
from roost.apiserver.store import Event, Object, Store, Stored, select

NOW = 1_767_225_600.0


@dataclass
class Time:
    """A clock that moves when told."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def new_store(**how: Any) -> Store:
    return Store(Time(), **how)


def pod(
    name: str = "web", *, spec: Object | None = None, containers: list[Object] | None = None, **metadata: Any
) -> Object:
    one = {"name": "app", "image": "nginx:1"}
    return {"metadata": {"name": name, **metadata}, "spec": {"containers": containers or [one], **(spec or {})}}


def node(name: str = "node-0", **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": {"cpu": "4", "pods": "110"}}}


def add_pod(store: Store, name: str = "web", **how: Any) -> Stored:
    return store.create(POD, pod(name, **how), how.get("namespace", "default"))


def add_node(store: Store, name: str = "node-0", **labels: str) -> Stored:
    return store.create(NODE, node(name, **labels))


def bind_pod(store: Store, name: str = "web", node_name: str = "node-0", uid: str = "") -> Stored:
    return bind(store, "default", name, binding_to(node_name, name=name, namespace="default", uid=uid))


def label(store: Store, name: str, **labels: str) -> Stored:
    def change(obj: Object) -> None:
        obj["metadata"]["labels"] = labels

    return store.modify(POD, name, change, "default")


@dataclass
class Watcher:
    """Hears events, and keeps the state they lead to."""

    events: list[Event] = field(default_factory=list)
    state: dict[str, Object] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if event.type == "DELETED":
            assert event.item.name in self.state, "deleted before it was added"
            del self.state[event.item.name]
        elif event.type != "BOOKMARK":
            assert (event.type == "ADDED") == (event.item.name not in self.state), "added twice, or modified before"
            self.state[event.item.name] = event.item.object

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(event.type, event.item.name) for event in self.events]


def watch(store: Store, resource: Any = POD, *, since: str | None = None, **selectors: str) -> Watcher:
    """Watch from a version, or as after a list: from now on, knowing what is there."""
    selection, watcher = select(resource, **selectors), Watcher()
    if since is None:
        watcher.state = {item.name: item.object for item in store.list(selection).items}
    store.subscribe(selection, watcher, since=str(store.version) if since is None else since)
    return watcher
