"""A cluster as kind makes it, for walking through pages of the documentation, and a shell to do so.

Real: etcd, kube-apiserver with roles and the ServiceAccount admission plugin, the controllers that make pods and
service accounts, the default scheduler, kubectl, roost. Played: the kubelets, see `kubelet.py`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.conftest import roost_command
from e2e.kubelet import Kubelet
from e2e.load import CORE, Object, wait_until
from e2e.rig import ADMIN, ControlPlane
from e2e.walk import Shell, section, walk

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
ROLE = "node-role.kubernetes.io/control-plane"
CONTROL_PLANE_TAINT = {"key": ROLE, "effect": "NoSchedule"}
WORKERS = ("kind-worker", "kind-worker2", "kind-worker3")
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)
NEEDS = ("kube-controller-manager", "kube-scheduler")
TOOLS = ("bash", "curl")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NODES = f"{CORE}/nodes"
BY_ITSELF = ("kube-root-ca.crt", "kubernetes")
COLLECTIONS = (
    NODES,
    *(f"{CORE}/{kind}" for kind in ("namespaces", "pods", "services", "serviceaccounts", "configmaps")),
    *(f"/apis/apps/v1/{kind}" for kind in ("deployments", "replicasets")),
    *(f"{RBAC}/{kind}" for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
)


@dataclass(frozen=True)
class Part:
    """A page of docs/, from one heading on or up to another."""

    page: str
    after: str = ""
    until: str = ""

    @property
    def text(self) -> str:
        return section((DOCS / self.page).read_text(), after=self.after, until=self.until)


@dataclass(frozen=True)
class Classroom:
    """A running cluster; each page is walked through in a folder and a shell of its own."""

    control_plane: ControlPlane
    folder: Path
    before: list[str] = field(default_factory=list)
    """What is in the cluster from the start, see `objects`."""

    @contextmanager
    def shell(self, name: str) -> Iterator[Shell]:
        """Open a shell that finds kubectl, roost and kube-scheduler, in a folder with the deploy/ of the repository."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "deploy").symlink_to(REPOSITORY / "deploy")
        kubeconfig = folder.with_name(f"{name}.kubeconfig")
        shutil.copy(self.control_plane.kubeconfig_for(ADMIN), kubeconfig)
        path = [str(Path(sys.executable).parent), str(self.control_plane.assets), os.environ["PATH"]]
        env = {"HOME": str(folder), "KUBECONFIG": str(kubeconfig), "PATH": os.pathsep.join(path), "LANG": "C.UTF-8"}
        with Shell(folder, env) as shell:
            yield shell

    def walk(self, *parts: Part) -> int:
        """Walk through pages, or parts of them, in one shell; then everything must be gone."""
        name = parts[0].page
        with self.shell(name.replace("/", "-").removesuffix(".md")) as shell:
            commands = sum(walk(part.text, shell, name=f"docs/{part.page}") for part in parts)
        wait_until(lambda: not self.left_over(), f"{name} has removed what it made", seconds=30)
        return commands

    def left_over(self) -> list[str]:
        """Name what is in the cluster that was not there at first."""
        return [one for one in self.objects() if one not in self.before]

    def objects(self) -> list[str]:
        """Describe what is in the cluster, without what comes by itself."""
        found = [(path, one["metadata"]) for path in COLLECTIONS for one in self.control_plane.api.get(path)["items"]]
        return [
            f"{path} {meta.get('namespace', '')}/{meta['name']} {_marks(meta) if path == NODES else ''}".strip()
            for path, meta in found
            if meta["name"] not in BY_ITSELF and not meta["name"].startswith("apiserver-")
        ]


def missing_for_walks(assets: Path) -> list[str]:
    """Name the programs that a classroom needs and this machine lacks."""
    beside = Path(sys.executable).parent
    programs = [(name, (assets / name).exists()) for name in NEEDS]
    tools = [(name, shutil.which(name) is not None) for name in TOOLS]
    return [name for name, there in [*programs, *tools, ("kubectl", (beside / "kubectl").exists())] if not there]


@contextmanager
def open_classroom(assets: Path, folder: Path) -> Iterator[Classroom]:
    """Start the cluster, and end it."""
    plane = ControlPlane(
        assets,
        folder / "control-plane",
        authorization="RBAC",
        disabled_admission=("TaintNodesByCondition",),
    )
    programs = {"roost": roost_command(), "kube-scheduler": [str(assets / "kube-scheduler")]}
    with plane, Kubelet(plane, folder / "pods", programs) as kubelet:
        plane.start_controller_manager(CONTROLLERS)
        plane.start_scheduler("default-scheduler")
        kubelet.register("kind-control-plane", memory="8Gi", taints=[CONTROL_PLANE_TAINT], labels={ROLE: ""})
        for worker in WORKERS:
            kubelet.register(worker, memory="8Gi")
        wait_until(lambda: _has_accounts(plane), "every namespace has its service account")
        room = Classroom(plane, folder)
        room.before.extend(room.objects())
        yield room


def _marks(meta: Object) -> str:
    """Render the labels and annotations of a node."""
    return " ".join(f"{key}={value}" for kind in ("labels", "annotations") for key, value in meta.get(kind, {}).items())


def _has_accounts(plane: ControlPlane) -> bool:
    accounts = plane.api.get(f"{CORE}/serviceaccounts")["items"]
    there = {one["metadata"]["namespace"] for one in accounts if one["metadata"]["name"] == "default"}
    return {"default", "kube-system"} <= there
