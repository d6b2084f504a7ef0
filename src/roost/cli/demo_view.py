"""What the demo shows: pods with their node and one line of why, nodes with their load; as text, live, or as data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from roost.api.quantity import milli_value
from roost.apiserver.nodes import CAPACITY_LABEL, PRICE_LABEL
from roost.apiserver.resources import NODE, POD
from roost.apiserver.store import Object, Store
from roost.framework.decision import Decision

Row = dict[str, Any]
WIDTH = 118


class DemoView:
    """Follows a store and the Decisions of a scheduler."""

    def __init__(self, store: Store, policy: str) -> None:
        self.applied: list[str] = []
        self._store = store
        self._policy = policy
        self._why: dict[str, str] = {}
        self._live: Live | None = None

    def observe(self, decision: Decision) -> None:
        """Keep the reason of a Decision."""
        self._why[decision.pod.key] = why(decision)

    def is_settled(self) -> bool:
        """Tell whether every pod runs or is known not to fit."""
        pods = self._pods()
        return len(pods) > len(self.applied) and all(
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
        return captured.get().rstrip()

    def facts(self) -> Row:
        """Return what is shown as plain data."""
        return {"policy": self._policy, "applied": self.applied, "pods": self._pods(), "nodes": self._nodes()}

    def _pods(self) -> list[Row]:
        return [self._pod(stored.object) for stored in self._store.all(POD)]

    def _pod(self, pod: Object) -> Row:
        meta = pod["metadata"]
        return {
            "namespace": meta["namespace"],
            "name": meta["name"],
            "phase": pod.get("status", {}).get("phase", ""),
            "node": pod["spec"].get("nodeName"),
            "why": self._why.get(f"{meta['namespace']}/{meta['name']}", ""),
        }

    def _nodes(self) -> list[Row]:
        used: dict[str, list[Object]] = {}
        for stored in self._store.all(POD):
            used.setdefault(stored.object["spec"].get("nodeName", ""), []).append(stored.object)
        return [
            _node(stored.object, used.get(stored.object["metadata"]["name"], [])) for stored in self._store.all(NODE)
        ]

    def _tables(self) -> Group:
        title = Text(f"Policy: {self._policy}. Applied: {', '.join(self.applied)}.", style="bold")
        return Group(title, self._pod_table(), self._node_table())

    def _pod_table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("pod", "node", "why"):
            table.add_column(column, overflow="fold", no_wrap=column != "why")
        for pod in self._pods():
            style = "" if pod["node"] else "yellow"
            table.add_row(pod["name"], pod["node"] or "(none)", pod["why"] or "waiting", style=style)
        return table

    def _node_table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("node", "zone", "capacity", "$/hour", "cpu used", "pods"):
            table.add_column(column, justify="right" if column in ("$/hour", "cpu used", "pods") else "left")
        for node in self._nodes():
            cpu = f"{node['cpuUsed']:g} of {node['cpu']:g}"
            table.add_row(node["name"], node["zone"], node["capacity"], node["price"], cpu, str(node["pods"]))
        return table


def why(decision: Decision) -> str:
    """Return one line that says why a pod went where it did, or why nowhere."""
    if decision.outcome != "scheduled":
        return decision.message
    fit = f"{decision.feasible} of {decision.evaluated} nodes fit"
    best, *others = decision.top
    if not others:
        return f"the only one of {decision.evaluated} nodes that fits"
    if others[0].total == best.total:
        return f"score {best.total}, as {others[0].node}: the first name wins; {fit}"
    return f"score {best.total}, next best {others[0].node} with {others[0].total}; {fit}"


def _node(node: Object, pods: list[Object]) -> Row:
    labels = node["metadata"]["labels"]
    asked = [c["resources"]["requests"].get("cpu", 0) for pod in pods for c in pod["spec"]["containers"]]
    return {
        "name": node["metadata"]["name"],
        "zone": labels["topology.kubernetes.io/zone"],
        "capacity": labels[CAPACITY_LABEL],
        "price": labels[PRICE_LABEL],
        "cpu": milli_value(node["status"]["allocatable"]["cpu"]) / 1000,
        "cpuUsed": sum(milli_value(quantity) for quantity in asked) / 1000,
        "pods": len(pods),
    }
