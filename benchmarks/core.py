"""The decision core: decisions per second and µs per decision of one process, by CPU time.

    python -m benchmarks.core [--nodes 100 1000 5000 20000 50000] [--pods 5000] [--repeat 3] [--json]

A decision is: filter, score, select, the Decision with its top nodes, and assume (counting the pod on its node). JSON
decoding and I/O are outside; working out a pod's requests (`pod_info`) is printed beside it. The profile is the default
one, with all its plugins; those that have nothing to do with a pod say so. The garbage collector is set as `roost run`
sets it.

    (a) identical    pods of one shape, as they come from one workload
    (b) mixed        random CPU and memory, and one of 20 sets of tolerations, affinity and image
    (c) distinct     random CPU and memory, and tolerations, affinity, image and host port of each pod's own
"""

import argparse
import gc
import json
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.cli.serve import COLLECT_AFTER
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.testing import node, pod

IMAGES = [f"registry.example/app-{i}:1.0" for i in range(40)]
ZONES = ["zone-a", "zone-b", "zone-c"]
Figures = dict[str, Any]


def main() -> None:
    """Measure the workloads that the command line asks for, and print a row for each."""
    options = _options()
    rows = [_measure(name, nodes, options.pods, options.repeat) for nodes in options.nodes for name in WORKLOADS]
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
        return
    print(machine())
    print(
        f"{'nodes':>7} {'workload':<14} {'decisions/s':>12} {'µs/decision':>12} {'(min–max)':>15} {'pod_info µs':>12}"
    )
    for row in rows:
        spread = f"{row['us_min']:.1f}–{row['us_max']:.1f}"
        figures = f"{row['per_second']:>12,.0f} {row['us']:>12.1f} {spread:>15} {row['pod_info_us']:>12.1f}"
        print(f"{row['nodes']:>7} {row['workload']:<14} {figures}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000, 20_000, 50_000])
    parser.add_argument("--pods", type=int, default=5000, help="pods decided in each run, at most 30 per node")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, one process; CPU time"


def _measure(workload: str, nodes: int, pods: int, repeat: int) -> Figures:
    count = min(pods, 30 * nodes)
    runs = [_run(WORKLOADS[workload], nodes, count, seed) for seed in range(repeat)]
    decided = [run[0] for run in runs]
    middle = statistics.median(decided)
    return {
        "nodes": nodes,
        "workload": workload,
        "pods": count,
        "us": middle,
        "us_min": min(decided),
        "us_max": max(decided),
        "per_second": 1e6 / middle,
        "pod_info_us": statistics.median(run[1] for run in runs),
    }


def _run(make_pod: Callable[[random.Random, int], Pod], nodes: int, pods: int, seed: int) -> tuple[float, float]:
    """Return µs of CPU per decision and per `pod_info`."""
    dice = random.Random(seed)
    cache = Cache()
    for number in range(nodes):
        cache.set_node(_node(dice, number))
    cycle, ctx = Cycle(default_profile()), Context()
    made = [make_pod(dice, number) for number in range(pods)]
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    started = time.process_time()
    infos = [cache.pod_info(one) for one in made]
    prepared = time.process_time()
    placed = 0
    for decision in cycle.decide_run(infos, cache.view, ctx):
        if decision.node is not None:
            cache.assume(decision.pod, decision.node)
            placed += 1
    ended = time.process_time()
    if placed != pods:
        sys.exit(f"{pods - placed} of {pods} pods did not fit: the figures would not be those of the workload")
    return (ended - prepared) * 1e6 / pods, (prepared - started) * 1e6 / pods


def _node(dice: random.Random, number: int) -> Node:
    soft = [{"key": "maintenance", "effect": "PreferNoSchedule"}] if number % 10 == 0 else []
    hard = [{"key": f"team-{number % 20}", "effect": "NoSchedule"}] if number % 25 == 0 else []
    return node(
        f"node-{number:05d}",
        cpu=dice.choice(["16", "32", "64"]),
        memory=dice.choice(["64Gi", "128Gi", "256Gi"]),
        pods=110,
        labels={"topology.kubernetes.io/zone": ZONES[number % 3], "disk": "ssd" if number % 2 else "hdd"},
        taints=[*soft, *hard],
        images=dict.fromkeys(dice.sample(IMAGES, 10), 400 << 20),
    )


def _affinity(weight: int, zone: str) -> dict[str, Any]:
    preference = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}
    required = {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}
    return {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [required]},
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "preference": preference}],
            }
        }
    }


def _identical(dice: random.Random, number: int) -> Pod:
    return pod(f"pod-{number}", cpu="100m", memory="256Mi", image=IMAGES[0], spec=_affinity(10, ZONES[0]))


def _mixed(dice: random.Random, number: int) -> Pod:
    kind = dice.randrange(20)
    return pod(
        f"pod-{number}",
        cpu=f"{dice.randint(10, 300)}m",
        memory=f"{dice.randint(10, 1000)}Mi",
        image=IMAGES[kind],
        tolerations=[{"key": f"team-{kind}", "operator": "Exists"}],
        spec=_affinity(kind + 1, ZONES[kind % 3]),
    )


def _distinct(dice: random.Random, number: int) -> Pod:
    return pod(
        f"pod-{number}",
        cpu=f"{dice.randint(10, 300)}m",
        memory=f"{dice.randint(10, 1000)}Mi",
        image=IMAGES[number % 40] + f".{number}" if number % 2 else IMAGES[number % 40],
        host_ports=[number % 60_000 + 1],
        tolerations=[{"key": f"team-{number}", "operator": "Exists"}],
        spec=_affinity(number % 100 + 1, ZONES[number % 3]),
    )


WORKLOADS: dict[str, Callable[[random.Random, int], Pod]] = {
    "(a) identical": _identical,
    "(b) mixed": _mixed,
    "(c) distinct": _distinct,
}

if __name__ == "__main__":
    main()
