"""Tries a policy: applies the test Deployment, and shows where its pods went and who put them there.

    python deploy/tryit.py safe               on the cluster of your kubeconfig, after `make deploy POLICY=safe`
    python deploy/tryit.py safe --embedded    on an embedded cluster, which needs no image and no other cluster

Without a kubeconfig it is the embedded one. There the overlay's extenders run as processes of this machine, with the
arguments and variables of their containers, and `roost run` asks them in kube-scheduler's place, with the same
configuration.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from deploy.overlay import OVERLAYS, Program, build, pod_of

SECONDS = 60.0
TEST = "test-deploy"
ROOST = [sys.executable, "-m", "roost"]


def measured(cpu: int, spread: int, memory_gib: int, congestion: int) -> list[str]:
    """Return annotations as annotators would write them: free milli-cores, their deviation, free GiB, congestion."""
    usage = {"mean-free-cpu": cpu, "std-free-cpu": spread, "mean-free-memory": memory_gib * 2**30}
    return [f"{key}={number}" for key, number in (usage | {"congestion-factor": congestion}).items()]


NODES = {
    ("node-0", "node-1"): measured(900, 500, 4, congestion=9),
    ("node-2", "node-3"): measured(2400, 300, 8, congestion=5),
    ("node-4", "node-5"): measured(7500, 100, 14, congestion=1),
}
"""The nodes of the embedded cluster, so that policies have something to go by: two busy, two between, two idle."""


def main() -> int:
    """Try the policy that the command line names."""
    parser = argparse.ArgumentParser(description="Show where the pods of a test Deployment go.")
    parser.add_argument("policy", nargs="?", default="")
    parser.add_argument("--embedded", action="store_true", help="on an embedded cluster, even with a kubeconfig")
    asked = parser.parse_args()
    policies = sorted(folder.name for folder in OVERLAYS.iterdir())
    if asked.policy not in policies:
        what = f"there is no policy {asked.policy}" if asked.policy else "name a policy, as in make tryit POLICY=safe"
        parser.error(f"{what}; there are: {' '.join(policies)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is started here is ended then, too
    kubectl = shutil.which(os.environ.get("KUBECTL", "kubectl")) or str(Path(sys.executable).with_name("kubectl"))
    context = subprocess.run([kubectl, "config", "current-context"], capture_output=True, text=True).stdout.strip()
    if context and not asked.embedded:
        print(f"{asked.policy} on the cluster of the context {context}:", flush=True)
        return try_it(kubectl, asked.policy)
    with tempfile.TemporaryDirectory(prefix="roost-tryit-") as folder, embedded(kubectl, asked.policy, Path(folder)):
        return try_it(kubectl, asked.policy)


def manifest_of(policy: str) -> Path:
    """Return the manifest of the test Deployment: a policy may have its own."""
    own = OVERLAYS / policy / f"{TEST}.yaml"
    return own if own.exists() else OVERLAYS.parent / "test" / f"{TEST}.yaml"


def try_it(kubectl: str, policy: str) -> int:
    """Apply the test Deployment anew, wait for its pods to be scheduled, and tell; return the exit code."""
    manifest = str(manifest_of(policy))
    run(kubectl, "delete", "--ignore-not-found", "--cascade=foreground", "--timeout=60s", "-f", manifest)
    run(kubectl, "apply", "-f", manifest)
    deployment = json.loads(run(kubectl, "get", "-f", manifest, "-o", "json"))
    wanted = deployment["spec"]["replicas"]
    namespace = ("-n", deployment["metadata"]["namespace"])
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())

    deadline = time.monotonic() + SECONDS
    placed, pods = 0, []
    while placed < wanted and time.monotonic() < deadline:
        time.sleep(0.3)
        pods = json.loads(run(kubectl, "get", "pods", *namespace, "-l", selector, "-o", "json"))["items"]
        placed = sum(bool(pod["spec"].get("nodeName")) for pod in pods)
    time.sleep(0.5)  # events come behind the bindings
    events = json.loads(run(kubectl, "get", "events", *namespace, "-o", "json"))["items"]
    tell(pods, {e["involvedObject"]["name"]: e for e in events if e["reason"] == "Scheduled"})
    if placed < wanted:
        print(f"\n{placed} of {wanted} pods were scheduled in {SECONDS:g} seconds.")
    return 0 if placed == wanted else 1


def tell(pods: Sequence[Mapping[str, Any]], scheduled: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line for each pod: its node and who scheduled it, or why nobody did."""
    lines = [("POD", "NODE", "SCHEDULED BY")]
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
        event = scheduled.get(name, {})
        reasons = [c.get("message", "") for c in pod["status"].get("conditions", ()) if c["type"] == "PodScheduled"]
        who = event.get("reportingComponent") or event.get("source", {}).get("component", "")
        lines.append((name, node or "(none)", who if node else " ".join(reasons)))
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    for pod_name, node, who in lines:
        print(f"{pod_name:{widths[0]}}  {node:{widths[1]}}  {who}".rstrip())


def run(*words: str) -> str:
    """Return what a command prints; end with its own words if it fails."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tryit: {' '.join(words[1:3])}: {done.stderr.strip()}")
    return done.stdout


# ---- without a cluster


@contextlib.contextmanager
def embedded(kubectl: str, policy: str, folder: Path) -> Iterator[None]:
    """Run an embedded cluster, the overlay's extenders, and a scheduler that asks them; kubectl finds the cluster."""
    pod = pod_of(build(OVERLAYS / policy, kubectl))
    pod = pod.on_this_machine(folder, free_ports(pod.port_numbers))
    kubeconfig = folder / "kubeconfig"
    os.environ["KUBECONFIG"] = str(kubeconfig)
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *words: str, env: Mapping[str, str] | None = None) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            command, variables = [*ROOST, *words], {**os.environ, **(env or {})}
            started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=variables))

    try:
        start("cluster", "cluster", "--nodes", "6", "--kubeconfig", str(kubeconfig))
        wait_for(lambda: kubeconfig.exists() and kubeconfig.read_text().endswith("\n"), started, folder)
        for nodes, annotations in NODES.items():
            run(kubectl, "annotate", "nodes", *nodes, *annotations)
        print(f"{policy} on an embedded cluster of six nodes: node-0 and node-1 are busy, node-4 and node-5 idle.")
        for extender in pod.extenders:
            start(extender.name, *extender.words, env=extender.env)
        wait_for(lambda: all(map(is_ready, pod.extenders)), started, folder)
        config = next(path for path in pod.files if path.endswith("config.yaml"))
        start("scheduler", "run", "--config", config, "--no-leader-elect")
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(SECONDS)


def wait_for(is_there: Callable[[], bool], started: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait until something is there; end with the logs if a process ends first."""
    deadline = time.monotonic() + SECONDS
    while not is_there():
        if time.monotonic() > deadline or any(process.poll() is not None for process in started):
            logs = "\n".join(log.read_text().strip() for log in sorted(folder.glob("*.log")))
            sys.exit(f"tryit: what is needed did not start:\n{logs}")
        time.sleep(0.05)


def is_ready(extender: Program) -> bool:
    """Tell whether an extender answers for the cluster."""
    (port,) = extender.ports.values()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_ports(wanted: Sequence[int]) -> dict[int, int]:
    """Return a port for each, on which nobody listens."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in wanted]
        return {port: probe.getsockname()[1] for port, probe in zip(wanted, probes, strict=True)}


if __name__ == "__main__":
    sys.exit(main())
