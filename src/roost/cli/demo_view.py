"""What the demo shows: pods with their node and one line of why, nodes with their load; as text, live, or as data."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from roost.analysis.why import why
from roost.api.quantity import milli_value
from roost.apiserver.nodes import CAPACITY_LABEL, PRICE_LABEL
from roost.apiserver.resources import NODE, POD
from roost.apiserver.store import Object, Store
from roost.cli.demo_objects import GivenObject
from roost.framework.decision import Decision

Row = dict[str, Any]
WIDTH = 118
ZONE_LABEL = "topology.kubernetes.io/zone"

_EARLY = "was there before"
_FEW = 3
_LABELLED = (("zone", "zone"), ("capacity", "capacity"), ("$/hour", "price"))


class DemoView:
    """Follows a store and the Decisions of a scheduler of some names, on objects that somebody else creates."""

    def __init__(
        self, store: Store, policy: str, objects: Sequence[GivenObject], scheduler_names: Sequence[str]
    ) -> None:
        self._store = store
        self._policy = policy
        self._objects = objects
        self._scheduler_names = scheduler_names
        self._pods_to_come = sum(given.pods_to_come for given in objects)
        self._why: dict[str, str] = {}
        self._live: Live | None = None

    def observe(self, decision: Decision) -> None:
        """Keep the reason of a Decision."""
        self._why[decision.pod.key] = why(decision)

    def is_settled(self) -> bool:
        """Tell whether every pod runs or is known not to."""
        pods = self._pods()
        return sum(not pod["early"] for pod in pods) >= self._pods_to_come and all(
            pod["phase"] == "Running" or (not pod["node"] and pod["why"]) for pod in pods
        )

    @contextmanager
    def shown(self, *, live: bool) -> Iterator[None]:
        """Show the tables while they change, where there is a terminal."""
        if not live:
            yield
            return
        with Live(self._tables(), transient=True, refresh_per_second=10) as self._live:
            yield
        self._live = None

    def refresh(self) -> None:
        """Show the tables as they are now."""
        if self._live is not None:
            self._live.update(self._tables())

    def text(self) -> str:
        """Return the tables as text, with colours on a terminal only."""
        console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
        with console.capture() as captured:
            console.print(self._tables())
        lines = (line.rstrip() for line in captured.get().rstrip().split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))

    def facts(self) -> Row:
        """Return what is shown as plain data."""
        pods = [{key: value for key, value in pod.items() if key != "early"} for pod in self._pods()]
        applied = [given.label for given in self._objects]
        return {"policy": self._policy, "applied": applied, "pods": pods, "nodes": self._nodes()}

    def _pods(self) -> list[Row]:
        """Return the pods in the order in which they were decided."""
        order = {key: place for place, key in enumerate(self._why)}
        pods = [self._pod(stored.object) for stored in self._store.all(POD)]
        return sorted(
            pods, key=lambda pod: order.get(f"{pod['namespace']}/{pod['name']}", -1 if pod["early"] else len(order))
        )

    def _pod(self, pod: Object) -> Row:
        meta, spec = pod["metadata"], pod["spec"]
        key = f"{meta['namespace']}/{meta['name']}"
        early = bool(spec.get("nodeName")) and key not in self._why
        return {
            "namespace": meta["namespace"],
            "name": meta["name"],
            "phase": pod.get("status", {}).get("phase", ""),
            "node": spec.get("nodeName"),
            "why": self._why.get(key) or (_EARLY if early else self._why_not(spec)),
            "early": early,
        }

    def _why_not(self, spec: Object) -> str:
        """Return why nobody decides about a pod; empty if it is to be decided."""
        name = spec.get("schedulerName")
        if name in self._scheduler_names:
            return ""
        return f"its schedulerName is {name}; here runs {', '.join(self._scheduler_names)}"

    def _nodes(self) -> list[Row]:
        used: dict[str, list[Object]] = {}
        for stored in self._store.all(POD):
            used.setdefault(stored.object["spec"].get("nodeName", ""), []).append(stored.object)
        return [
            _node(stored.object, used.get(stored.object["metadata"]["name"], [])) for stored in self._store.all(NODE)
        ]

    def _tables(self) -> Group:
        title = Text(f"Policy: {self._policy}. Applied: {', '.join(self._applied())}.", style="bold")
        return Group(title, self._pod_table(), self._node_table())

    def _applied(self) -> Iterator[str]:
        """Yield what was applied: by name, or by number where there are many of a kind."""
        for resource in dict.fromkeys(given.resource for given in self._objects):
            labels = [given.label for given in self._objects if given.resource is resource]
            yield from labels if len(labels) <= _FEW else [f"{len(labels)} {resource.plural}"]

    def _pod_table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("pod", "node", "why"):
            table.add_column(column, overflow="fold", no_wrap=column != "why")
        for pod in self._pods():
            style = "" if pod["node"] else "yellow"
            table.add_row(pod["name"], pod["node"] or "(none)", pod["why"] or "waiting", style=style)
        return table

    def _node_table(self) -> Table:
        table, nodes = Table(box=box.SIMPLE_HEAD), self._nodes()
        columns = [(title, key) for title, key in _LABELLED if any(node[key] for node in nodes)]
        extended = sorted({name for node in nodes for name in node["extended"]})
        table.add_column("node")
        for title, key in columns:
            table.add_column(title, justify="right" if key == "price" else "left")
        for title in ("cpu used", *(f"{name} used" for name in extended), "pods"):
            table.add_column(title, justify="right")
        for node in nodes:
            cpu = f"{node['cpuUsed']:g} of {node['cpu']:g}"
            others = [_share(node["extended"].get(name)) for name in extended]
            table.add_row(node["name"], *(node[key] for _, key in columns), cpu, *others, str(node["pods"]))
        return table


def _node(node: Object, pods: list[Object]) -> Row:
    labels = node["metadata"].get("labels") or {}
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    used = Counter[str]()
    for pod in pods:
        for container in pod["spec"]["containers"]:
            asked = (container.get("resources") or {}).get("requests") or {}
            used.update({name: milli_value(quantity) for name, quantity in asked.items()})
    return {
        "name": node["metadata"]["name"],
        "zone": labels.get(ZONE_LABEL, ""),
        "capacity": labels.get(CAPACITY_LABEL, ""),
        "price": labels.get(PRICE_LABEL, ""),
        "cpu": milli_value(allocatable.get("cpu", 0)) / 1000,
        "cpuUsed": used["cpu"] / 1000,
        "extended": {
            name: {"used": used[name] // 1000, "allocatable": milli_value(quantity) // 1000}
            for name, quantity in allocatable.items()
            if "/" in name
        },
        "pods": len(pods),
    }


def _share(amounts: Row | None) -> str:
    return f"{amounts['used']} of {amounts['allocatable']}" if amounts else ""
