"""One process with a large cluster: memory, start-up, and what a decision and a watch event cost.

    python -m benchmarks.scale [--nodes 20000] [--placed 200000] [--pending 2000]
    python -m benchmarks.scale --run [--nodes 20000] [--placed 200000] [--pending 2000]
    python -m benchmarks.scale --compare [--nodes 5000 20000 50000] [--placed 20000 200000]

Plain, it measures by CPU time what reading and deciding take; with `--run` it starts `roost run` against a scripted API
server, and looks at the clock and at the process from outside.

Every world is made in a process of its own, so that memory is that world's. The lists are the JSON that an API server
sends (`benchmarks.scale_objects`), read by the client page by page and taken in by the live loop's handlers; making
them is not in the figures. `--compare` decides for pods of several shapes, and takes in watch events, in worlds that
differ in one number: the rules of the shapes mean all placed pods, and placed pods have rules that mean the pods.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from benchmarks.core import Figures, machine
from benchmarks.scale_loaded import compare, measure
from benchmarks.scale_objects import World
from benchmarks.scale_run import run

T = TypeVar("T")


def main() -> None:
    """Measure what the command line asks for, and print it."""
    options = _options()
    if options.compare:
        rows = [_apart(compare, world, options.pods) for world in _worlds(options)]
    else:
        world = World((options.nodes or [20_000])[0], (options.placed or [200_000])[0], options.pending)
        rows = [run(world) if options.run else _apart(measure, world)]
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
        return
    print(machine())
    _print(rows)


def _worlds(options: argparse.Namespace) -> list[World]:
    """Return worlds of all sizes with the most pods, and worlds of the middle size with fewer."""
    nodes, placed = options.nodes or [5000, 20_000, 50_000], sorted(options.placed or [20_000, 200_000])
    middle = nodes[len(nodes) // 2]
    return [World(count, placed[-1]) for count in nodes] + [World(middle, count) for count in placed[:-1]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+")
    parser.add_argument("--placed", type=int, nargs="+")
    parser.add_argument("--pending", type=int, default=2000)
    parser.add_argument("--pods", type=int, default=1000, help="pods decided of each shape, with --compare")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--run", action="store_true", help="the whole command against a scripted API server")
    mode.add_argument("--compare", action="store_true", help="worlds beside each other")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _apart(work: Callable[..., T], *arguments: Any) -> T:
    """Do something in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def _print(rows: Iterable[Figures]) -> None:
    for row in rows:
        for name, value in row.items():
            print(f"{name:<44} {value:>12,.2f}" if isinstance(value, float) else f"{name:<44} {value:>12,}")
        print()


if __name__ == "__main__":
    main()
