"""Where a pod's CPU goes in `roost run`, by stages, on a real kube-apiserver and etcd.

    make profile          # or: python -m benchmarks.profile_live [--nodes 1000] [--pods 5000] [--shape owned …]

Pods are created first, then the scheduler starts, with its stack sampled (`benchmarks.sampled`). The samples between
"in sync" and the last event are shared out among stages by the functions on the stack, the innermost first, and scaled
by the CPU that the scheduler used meanwhile, per pod. Time in the system counts for the function that asked for it.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from e2e.load import wait_until
from e2e.rig import ControlPlane
from msgspec import Struct

from benchmarks.live_world import SHAPES, control_plane, count_bound_lines, count_events, populate, start_roost
from benchmarks.sampled import BEGIN_COLLECTION, END_COLLECTION, STACK
from benchmarks.spin import spin_ms

REST = "rest"
STAGES: Sequence[tuple[str, str]] = (
    ("watch: read", r"client/stream|watch/reflector|client/watch:feed"),
    ("watch: decode", r"client/(watch|listing)|api/sharing"),
    ("cache and queue, from the watch", r"scheduler/(handlers|further_kinds)"),
    ("decide", r"framework/(cycle|look_ahead)|loop:_(decisions|context|learn)"),
    ("assume", r"cache/cache:assume"),
    ("log lines", r"logging/__init__|cli/logs|outcomes:scheduled_line"),
    ("bind: request", r"scheduler/binding:_write|kube_cluster:bind"),
    ("event: request", r"scheduler/recorder:(_send|_write|body)"),
    ("condition: request", r"scheduler/conditions:_(write|patch|send)"),
    ("answers: HTTP", r"client/connection:(buffer_updated|get_buffer|on_)"),
    ("TLS", r"/ssl:"),
    ("bookkeeping: queue, lanes, counts, the loop", r"scheduler/"),
    ("sockets, polling (the event loop)", r"asyncio/runners:run$"),
)
COLLECTION = "garbage collection"
_FRAME = re.compile(r'  File "(.*)\.py", line \d+ in (\S+)')
_STAGE = [(name, re.compile(pattern)) for name, pattern in STAGES]


class Profile(Struct):
    """How many samples each stage got in one run, of which functions, and the scheduler's CPU, µs per pod."""

    stages: Counter[str]
    functions: Counter[str]
    cpu: float


def main() -> None:
    """Profile as often as asked, and print a Markdown table."""
    options = _options()
    columns = {shape: _profile_often(options, shape) for shape in options.shape}
    print(f"{options.nodes} nodes, {options.pods} pods, `benchmarks.spin` {spin_ms():.1f} ms\n")
    print("\n".join(_table(columns)))
    if options.functions:
        for shape, profile in columns.items():
            print(f"\n{shape}: the functions in which most of it is spent, µs per pod\n")
            print("\n".join(_functions(profile, options.functions)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--shape", choices=list(SHAPES), nargs="+", default=["plain"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="also print the N costliest functions")
    return parser.parse_args()


def _profile_often(options: argparse.Namespace, shape: str) -> Profile:
    runs = []
    for number in range(options.repeat):
        runs.append(_run(options.nodes, options.pods, shape))
        print(f"{shape}, run {number + 1}: {runs[-1].cpu:.0f} µs CPU per pod", file=sys.stderr)
    stages = sum((run.stages for run in runs), Counter[str]())
    functions = sum((run.functions for run in runs), Counter[str]())
    return Profile(stages, functions, sum(run.cpu for run in runs) / len(runs))


def _run(nodes: int, pods: int, shape: str) -> Profile:
    with TemporaryDirectory() as folder, control_plane(Path(folder)) as plane:
        populate(plane.api, nodes, pods, shape)
        samples = Path(folder) / "samples"
        skipped, cpu = _sample(plane, Path(folder), samples, pods)
        text = samples.read_bytes()[skipped:].decode()
    stacks = list(_stacks(text))
    return Profile(Counter(map(_stage, stacks)), Counter(_innermost(stack) for stack in stacks), cpu)


def _sample(plane: ControlPlane, folder: Path, samples: Path, pods: int) -> tuple[int, float]:
    """Schedule all pods; return how many bytes of the samples are of the start, and the µs of CPU per pod."""
    process = start_roost(plane, folder, "benchmarks.sampled", str(samples))
    try:
        wait_until(lambda: "in sync" in process.log_text(), "the scheduler is in sync", seconds=60, every=0.005)
        skipped, before = samples.stat().st_size, process.cpu_seconds()
        wait_until(lambda: count_bound_lines(process.log) >= pods, "all pods are bound", seconds=300, every=0.05)
        wait_until(lambda: count_events(plane.api) >= pods, "all events are there", seconds=300, every=0.1)
        return skipped, (process.cpu_seconds() - before) / pods * 1e6
    finally:
        process.stop()


Stack = Sequence[str]
"""Functions as `room/module:function`, the innermost first; or only `COLLECTION`."""


def _stacks(text: str) -> Iterator[Stack]:
    """Read what `benchmarks.sampled` wrote."""
    collecting = False
    for block in text.split(STACK):
        frames = [f"{'/'.join(path.split('/')[-2:])}:{function}" for path, function in _FRAME.findall(block)]
        if frames:
            yield [COLLECTION] if collecting else frames
        begun, ended = block.rfind(BEGIN_COLLECTION), block.rfind(END_COLLECTION)
        if begun != ended:
            collecting = begun > ended


def _stage(stack: Stack) -> str:
    if stack[0] == COLLECTION:
        return COLLECTION
    return next((name for frame in stack for name, pattern in _STAGE if pattern.search(frame)), REST)


def _innermost(stack: Stack) -> str:
    return stack[0]


def _table(columns: dict[str, Profile]) -> Iterator[str]:
    yield f"| µs of CPU per pod | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for stage in (*(name for name, _ in STAGES), COLLECTION, REST):
        shares = [profile.stages[stage] / profile.stages.total() * profile.cpu for profile in columns.values()]
        if any(shares):
            yield f"| {stage} | {' | '.join(f'{share:.0f}' for share in shares)} |"
    yield f"| together | {' | '.join(f'{profile.cpu:.0f}' for profile in columns.values())} |"


def _functions(profile: Profile, count: int) -> Iterator[str]:
    for function, samples in profile.functions.most_common(count):
        yield f"{samples / profile.functions.total() * profile.cpu:6.1f} {function}"


if __name__ == "__main__":
    main()
