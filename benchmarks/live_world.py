"""What the live loop is measured on: nodes in three zones, pods of a few shapes, and how far a scheduler has come."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.load import CORE, EVENTS, HOSTNAME_LABEL, Api, Object, node_object, numbered, pod_object
from e2e.processes import Process
from e2e.rig import ControlPlane, find_assets

NAMESPACE = "default"
ZONE = "topology.kubernetes.io/zone"
WEB, SPREAD, APART = {"app": "web"}, {"app": "spread"}, {"app": "apart"}
NO_AUDIT = ("--audit-log-path=",)
"""The tests' API server writes a line for each binding and event, which others need not pay for."""


def plain(pod: Object) -> None:
    """Leave the pod as it is: nobody selects it."""


def hard_spread(pod: Object) -> None:
    """Spread over zones, at most five pods apart."""
    pod["metadata"]["labels"] = SPREAD
    pod["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 5,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": SPREAD},
        }
    ]


def owned(pod: Object) -> None:
    """Be a replica behind a Service: the default spreading applies."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-web", "controller": True}
    pod["metadata"] |= {"labels": WEB, "ownerReferences": [owner]}


def preferred_anti_affinity(pod: Object) -> None:
    """Prefer nodes without such a pod."""
    pod["metadata"]["labels"] = APART
    term = {"topologyKey": HOSTNAME_LABEL, "labelSelector": {"matchLabels": APART}}
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    pod["spec"]["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


SHAPES: dict[str, Callable[[Object], None]] = {
    "plain": plain,
    "hard-spread": hard_spread,
    "owned": owned,
    "preferred-anti-affinity": preferred_anti_affinity,
}


def control_plane(folder: Path) -> ControlPlane:
    """Return a control plane that is not started yet; ends the program where there are no binaries."""
    assets = find_assets()
    if assets is None:
        raise SystemExit("no kube-apiserver: run e2e/controlplane/build.sh, or name a folder in KUBEBUILDER_ASSETS")
    return ControlPlane(assets, folder, apiserver_arguments=NO_AUDIT)


def populate(api: Api, nodes: int, pods: int, shape: str) -> None:
    """Create nodes in three zones, a Service with its ReplicaSet, and pending pods of a shape."""
    names = enumerate(numbered("node", nodes))
    api.create_all((f"{CORE}/nodes", node_object(name, labels={ZONE: f"zone-{i % 3}"})) for i, name in names)
    api.create(f"{CORE}/namespaces/{NAMESPACE}/services", _service())
    api.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets", _replica_set())
    api.create_all((f"{CORE}/namespaces/{NAMESPACE}/pods", _pod(name, shape)) for name in numbered("pod", pods))


def _pod(name: str, shape: str) -> Object:
    pod = pod_object(name, namespace=NAMESPACE)
    SHAPES[shape](pod)
    return pod


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": WEB, "ports": [{"port": 80}]},
    }


def _replica_set() -> Object:
    template: dict[str, Any] = {"metadata": {"labels": WEB}, "spec": pod_object("web")["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": WEB}, "template": template},
    }


def start_roost(plane: ControlPlane, folder: Path, *program: str) -> Process:
    """Start `roost run` on a control plane, as the module `roost` or as one that runs it."""
    run = ["run", "--kubeconfig", str(plane.kubeconfig_for("admin"))]
    command = [sys.executable, "-m", *(program or ("roost",)), *run]
    return Process(command, folder / "roost.log", env={"PYTHONDONTWRITEBYTECODE": ""})


def count_events(api: Api) -> int:
    """Count the events; the API server tells how many it left out of a page of one, which costs it little."""
    page = api.get(f"{EVENTS}/namespaces/{NAMESPACE}/events", limit="1")
    return len(page.get("items") or ()) + int(page["metadata"].get("remainingItemCount") or 0)


def count_bound_lines(log: Path) -> int:
    """Count the lines in which Roost says that a pod is bound."""
    return log.read_bytes().count(b" INFO scheduled ")
