"""The live loop on a real kube-apiserver and etcd: the scheduler's own CPU per pod, and what starting costs.

    python -m benchmarks.live [--nodes 1000] [--pods 2000] [--repeat 3] [--scheduler kube-scheduler] [--json]

Pods are created first, then the scheduler starts. CPU (user + system, all threads, from /proc) is read when the log
says "in sync", and again two seconds after the last Scheduled event. Binaries are found as the end-to-end tests find
them. etcd, kube-apiserver, scheduler and this program share the machine.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from e2e.load import create_nodes, create_pods, list_events, list_pods, numbered, wait_until
from e2e.processes import Process
from e2e.rig import ControlPlane, find_assets

NAMESPACE = "default"
SETTLE_SECONDS = 2.0
Figures = dict[str, float]


def main() -> None:
    """Run the benchmark as often as asked, and print each run and the medians."""
    options = _options()
    runs = []
    for number in range(options.repeat):
        runs.append(_run(options.nodes, options.pods, options.scheduler))
        print(f"run {number + 1}: {_sentence(runs[-1], options.pods)}", file=sys.stderr)
    medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    if options.json:
        print(json.dumps({"nodes": options.nodes, "pods": options.pods, "runs": runs, "medians": medians}, indent=1))
    else:
        print(
            f"{options.nodes} nodes, {options.pods} pods, medians of {options.repeat}: "
            + _sentence(medians, options.pods)
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scheduler", choices=["roost", "kube-scheduler"], default="roost")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _sentence(figures: Figures, pods: int) -> str:
    text = f"{figures['start_cpu']:.2f} s CPU until in sync"
    if not pods:
        return text
    return (
        f"{text}; {figures['cpu_ms_per_pod']:.2f} ms CPU per pod; {figures['bound_per_second']:.0f} pods/s to the last "
        f"bind, {figures['events_per_second']:.0f} to the last event"
    )


def _run(nodes: int, pods: int, scheduler: str) -> Figures:
    with TemporaryDirectory() as folder, ControlPlane(_assets(), Path(folder)) as plane:
        create_nodes(plane.api, numbered("node", nodes))
        create_pods(plane.api, numbered("pod", pods), NAMESPACE, scheduler="roost")
        time.sleep(SETTLE_SECONDS)
        process = _start(plane, scheduler, Path(folder))
        try:
            return _measure(plane, process, scheduler, pods)
        finally:
            process.stop()


def _assets() -> Path:
    found = find_assets()
    if found is None:
        sys.exit("no kube-apiserver: run e2e/controlplane/build.sh, or name a folder in KUBEBUILDER_ASSETS")
    return found


def _start(plane: ControlPlane, scheduler: str, folder: Path) -> Process:
    if scheduler == "kube-scheduler":
        return plane.start_scheduler("roost")
    command = [sys.executable, "-m", "roost", "run", "--kubeconfig", str(plane.kubeconfig_for("admin"))]
    return Process(command, folder / "roost.log")


def _measure(plane: ControlPlane, process: Process, scheduler: str, pods: int) -> Figures:
    if scheduler == "roost":
        wait_until(lambda: "in sync" in process.log_text(), "the scheduler is in sync", seconds=30, every=0.005)
    in_sync, cpu = time.monotonic(), process.cpu_seconds()
    if not pods:
        return {"start_cpu": cpu}
    wait_until(lambda: _bound(plane) == pods, "all pods are bound", seconds=300, every=0.25)
    bound = time.monotonic()
    wait_until(lambda: _events(plane) >= pods, "all events are there", seconds=300, every=0.25)
    ended = time.monotonic()
    time.sleep(SETTLE_SECONDS)
    return {
        "start_cpu": cpu,
        "cpu_ms_per_pod": (process.cpu_seconds() - cpu) * 1000 / pods,
        "bound_per_second": pods / (bound - in_sync),
        "events_per_second": pods / (ended - in_sync),
    }


def _bound(plane: ControlPlane) -> int:
    return sum(bool(pod["spec"].get("nodeName")) for pod in list_pods(plane.api, NAMESPACE))


def _events(plane: ControlPlane) -> int:
    return sum(_reason(event) == "Scheduled" for event in list_events(plane.api, NAMESPACE))


def _reason(event: dict[str, Any]) -> str:
    return str(event.get("reason", ""))


if __name__ == "__main__":
    main()
