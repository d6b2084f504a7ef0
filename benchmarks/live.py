"""The live loop on a real kube-apiserver and etcd: CPU per pod, of the scheduler and of them, and what a start costs.

    python -m benchmarks.live [--nodes 1000] [--pods 2000] [--shape owned] [--repeat 3] [--scheduler kube-scheduler] …

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

from e2e.load import wait_until
from e2e.processes import Process
from e2e.rig import ControlPlane

from benchmarks.live_world import (
    SHAPES,
    control_plane,
    count_bound_lines,
    count_events,
    count_unbound,
    populate,
    start_roost,
)

SETTLE_SECONDS = 2.0
Figures = dict[str, float]


def main() -> None:
    """Run the benchmark as often as asked, and print each run and the medians."""
    options = _options()
    runs = []
    for number in range(options.repeat):
        runs.append(_run(options))
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
    parser.add_argument("--shape", choices=list(SHAPES), default="plain")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scheduler", choices=["roost", "kube-scheduler"], default="roost")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _sentence(figures: Figures, pods: int) -> str:
    text = f"{figures['start_cpu']:.2f} s CPU until in sync"
    if not pods:
        return text
    return (
        f"{text}; {figures['cpu_ms_per_pod']:.2f} ms CPU per pod, {figures['plane_ms_per_pod']:.2f} ms of "
        f"kube-apiserver and etcd; {figures['bound_per_second']:.0f} pods/s to the last "
        f"bind, {figures['events_per_second']:.0f} to the last event"
    )


def _run(options: argparse.Namespace) -> Figures:
    with TemporaryDirectory() as folder, control_plane(Path(folder)) as plane:
        populate(plane.api, options.nodes, options.pods, options.shape)
        time.sleep(SETTLE_SECONDS)
        is_roost = options.scheduler == "roost"
        process = start_roost(plane, Path(folder)) if is_roost else plane.start_scheduler("roost")
        try:
            return _measure(plane, process, options.pods, is_roost=is_roost)
        finally:
            process.stop()


def _measure(plane: ControlPlane, process: Process, pods: int, *, is_roost: bool) -> Figures:
    if is_roost:
        wait_until(lambda: "in sync" in process.log_text(), "the scheduler is in sync", seconds=60, every=0.005)
    in_sync, cpu, plane_cpu = time.monotonic(), process.cpu_seconds(), plane.cpu_seconds()
    if not pods:
        return {"start_cpu": cpu}
    wait_until(lambda: _unbound(plane, process, pods, is_roost=is_roost) <= 0, "all are bound", seconds=300, every=0.05)
    bound = time.monotonic()
    wait_until(lambda: count_events(plane.api) >= pods, "all events are there", seconds=300, every=0.1)
    ended = time.monotonic()
    time.sleep(SETTLE_SECONDS)
    return {
        "start_cpu": cpu,
        "cpu_ms_per_pod": (process.cpu_seconds() - cpu) * 1000 / pods,
        "plane_ms_per_pod": (plane.cpu_seconds() - plane_cpu) * 1000 / pods,
        "bound_per_second": pods / (bound - in_sync),
        "events_per_second": pods / (ended - in_sync),
    }


def _unbound(plane: ControlPlane, process: Process, pods: int, *, is_roost: bool) -> int:
    """Count the pods that are not bound, where that costs the API server nothing: in the log, else after the events."""
    if is_roost:
        return pods - count_bound_lines(process.log)
    return pods if count_events(plane.api) < pods * 9 // 10 else count_unbound(plane.api)


if __name__ == "__main__":
    main()
