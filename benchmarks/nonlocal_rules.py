"""Rules that look beyond one node: decisions per second of one process, by CPU time.

    python -m benchmarks.nonlocal_rules [--nodes 5000] [--existing 5000] [--pods 2000] [--only SHAPE ...] [--profile]

Like benchmarks.core, on nodes in three zones with pods on them. The shapes are those of kube-scheduler's own benchmark,
scheduler_perf; pods of the first say nothing of spreading themselves, so that the System default applies.

    OwnedPods                   pods of one ReplicaSet behind a Service; a hundred such apps are there already
    TopologySpreading           DoNotSchedule over zones, at most 5 more in one than in another
    PreferredTopologySpreading  ScheduleAnyway over zones
    PodAffinity                 required in the zone of pods like it
    PodAntiAffinity             required not on a node with pods like it (a fifth as many are there)
    PreferredPodAffinity        preferably on nodes with pods like it
    PreferredPodAntiAffinity    preferably not there
    PreemptionBasic             nodes full of pods of low priority, of which three go for each pod of high priority
"""

import argparse
import cProfile
import gc
import json
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, convert

from benchmarks.core import ZONES, Figures, machine
from roost.api.controllers import ReplicaSet, Service
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.testing import node, pod

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
APPS = 100
WARM_UP = 50
Fields = Mapping[str, Any]


class Shape(Struct, frozen=True):
    """What is on the nodes already, by its number, and the pods to decide for."""

    existing: Callable[[int], Pod]
    measured: Callable[[int], Pod]
    existing_share: float = 1.0
    preempts: bool = False


def main() -> None:
    """Measure the shapes that the command line asks for, and print a row for each."""
    options = _options()
    if options.profile:
        _print_profiles(options)
        return
    rows = [_measure(name, options) for name in options.only]
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
        return
    print(machine())
    print(f"{'nodes':>7} {'existing':>9} {'shape':<27} {'decisions/s':>12} {'µs/decision':>12} {'(min–max)':>15}")
    for row in rows:
        spread = f"{row['us_min']:.0f}–{row['us_max']:.0f}"
        figures = f"{row['per_second']:>12,.0f} {row['us']:>12.0f} {spread:>15}"
        print(f"{row['nodes']:>7} {row['existing']:>9} {row['shape']:<27} {figures}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--existing", type=int, default=5000, help="pods that are there already")
    parser.add_argument("--pods", type=int, default=2000, help="pods decided in each run; a tenth where they preempt")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES), metavar="SHAPE")
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _measure(name: str, options: argparse.Namespace) -> Figures:
    runs = [_run(SHAPES[name], options) for _ in range(options.repeat)]
    middle = statistics.median(runs)
    return {
        "nodes": options.nodes,
        "existing": _existing(SHAPES[name], options),
        "shape": name,
        "us": middle,
        "us_min": min(runs),
        "us_max": max(runs),
        "per_second": 1e6 / middle,
    }


def _print_profiles(options: argparse.Namespace) -> None:
    for name in options.only:
        print(f"==== {name}")
        profiler = cProfile.Profile()
        _run(SHAPES[name], options, profiler)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def _run(shape: Shape, options: argparse.Namespace, profiler: cProfile.Profile | None = None) -> float:
    """Return µs of CPU per decision."""
    cache = _cluster(shape, options)
    cycle = Cycle(default_profile())
    count = max(1, options.pods // 10) if shape.preempts else options.pods
    infos = [cache.pod_info(shape.measured(number)) for number in range(WARM_UP + count)]
    for _ in _decided(cycle, cache, infos[:WARM_UP]):
        pass
    gc.collect()
    gc.freeze()
    if profiler is not None:
        profiler.enable()
    started = time.process_time()
    placed = sum(1 for _ in _decided(cycle, cache, infos[WARM_UP:]))
    ended = time.process_time()
    if profiler is not None:
        profiler.disable()
    if placed != count:
        sys.exit(f"{count - placed} of {count} pods found no node: the figures would not be those of the shape")
    return (ended - started) * 1e6 / float(count)


def _decided(cycle: Cycle, cache: Cache, infos: list[PodInfo]) -> Iterator[Decision]:
    """Decide for pods in order and count each on its node; victims go first, as if their grace period were over."""
    for decision in cycle.decide_run(infos, cache.view, Context()):
        target = decision.node
        if decision.plan is not None and decision.plan.nominated:
            target = decision.plan.nominated
            for victim in decision.plan.victims:
                cache.remove_pod(victim.pod)
        if target is not None:
            cache.assume(decision.pod, target)
            yield decision


def _cluster(shape: Shape, options: argparse.Namespace) -> Cache:
    cache = Cache()
    names = [f"node-{number:05d}" for number in range(options.nodes)]
    for number, name in enumerate(names):
        labels = {ZONE: ZONES[number % 3], HOSTNAME: name}
        cache.set_node(node(name, cpu="4", memory="32Gi", pods=110, labels=labels))
    for app in range(APPS):
        metadata = {"name": f"app-{app}", "namespace": "default"}
        cache.set_controller(convert({"metadata": metadata, "spec": {"selector": _labels(app)}}, Service))
        selector = {"matchLabels": _labels(app)}
        cache.set_controller(convert({"metadata": metadata, "spec": {"selector": selector}}, ReplicaSet))
    for number in range(_existing(shape, options)):
        cache.assume(cache.pod_info(shape.existing(number)), names[number % len(names)])
    return cache


def _existing(shape: Shape, options: argparse.Namespace) -> int:
    return int(options.existing * shape.existing_share)


# ---- pods


def _labels(app: int) -> dict[str, str]:
    return {"app": f"app-{app}"}


def _pod(name: str, **fields: Any) -> Pod:
    return pod(name, **{"cpu": "100m", "memory": "500Mi", **fields})


def _owned(prefix: str) -> Callable[[int], Pod]:
    def make(number: int) -> Pod:
        app = number % APPS if prefix == "there" else 0
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"app-{app}", "uid": f"rs-{app}"}
        owned = {"ownerReferences": [{**owner, "controller": True}]}
        return _pod(f"{prefix}-{number}", labels=_labels(app), metadata=owned)

    return make


def _plain(prefix: str) -> Callable[[int], Pod]:
    return lambda number: _pod(f"{prefix}-{number}")


def _coloured(prefix: str, spec: Fields) -> Callable[[int], Pod]:
    return lambda number: _pod(f"{prefix}-{number}", labels={"color": "blue"}, spec=spec)


def _spread(when: str) -> Fields:
    selector = {"matchLabels": {"color": "blue"}}
    constraint = {"maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": when, "labelSelector": selector}
    return {"topologySpreadConstraints": [constraint]}


def _required(kind: str, topology: str) -> Fields:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [_term(topology)]}}}


def _preferred(kind: str, topology: str) -> Fields:
    weighted = {"weight": 1, "podAffinityTerm": _term(topology)}
    return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}}}


def _term(topology: str) -> Fields:
    return {"topologyKey": topology, "labelSelector": {"matchLabels": {"color": "blue"}}}


def _alike(spec: Fields, existing_share: float = 1.0) -> Shape:
    return Shape(_coloured("there", spec), _coloured("new", spec), existing_share)


SHAPES: dict[str, Shape] = {
    "OwnedPods": Shape(_owned("there"), _owned("new")),
    "TopologySpreading": Shape(_plain("there"), _coloured("new", _spread("DoNotSchedule"))),
    "PreferredTopologySpreading": Shape(_plain("there"), _coloured("new", _spread("ScheduleAnyway"))),
    "PodAffinity": _alike(_required("podAffinity", ZONE)),
    "PodAntiAffinity": _alike(_required("podAntiAffinity", HOSTNAME), existing_share=0.2),
    "PreferredPodAffinity": _alike(_preferred("podAffinity", HOSTNAME)),
    "PreferredPodAntiAffinity": _alike(_preferred("podAntiAffinity", HOSTNAME)),
    "PreemptionBasic": Shape(
        lambda number: _pod(f"there-{number}", cpu="900m", priority=0),
        lambda number: _pod(f"new-{number}", cpu="3", priority=10),
        existing_share=4.0,
        preempts=True,
    ),
}

if __name__ == "__main__":
    main()
