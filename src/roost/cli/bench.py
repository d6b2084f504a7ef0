"""`roost bench`: its options. What runs is in `bench_run`, which is imported when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

HELP = """
Measure how fast pods are scheduled, by the workloads of Kubernetes' scheduler_perf.

On the embedded cluster, on a control plane of its own (etcd and kube-apiserver), on a cluster of yours, or the decision
core alone. With --against, two schedulers take turns on the same cluster.

Examples:

\b
  roost bench --list                             the workloads and their sizes
  roost bench SchedulingBasic                    its usual size, on the embedded cluster
  roost bench TopologySpreading/5000Nodes_5000Pods --on core
  roost bench SchedulingBasic --on control-plane --assets DIR --against kube-scheduler --runs 5
  roost bench SchedulingBasic --size nodes=1000,measurePods=2000,initPods=0 --mode stream
  roost bench SchedulingBasic --on control-plane --rate 300 --seconds 180

Exit codes: 0 measured, 1 failure (pods without a node, a node beyond its capacity), 2 wrong usage or configuration.
"""


class On(StrEnum):
    """What is measured."""

    core = "core"
    embedded = "embedded"
    control_plane = "control-plane"


class Against(StrEnum):
    """Which scheduler takes turns with Roost."""

    kube_scheduler = "kube-scheduler"
    roost = "roost"


class Mode(StrEnum):
    """When the measured pods are created."""

    precreate = "precreate"
    stream = "stream"


class Output(StrEnum):
    """How the report looks."""

    text = "text"
    json = "json"


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="WORKLOAD[/SIZE]...", help="Workloads by name, or a file.yaml.")
    ] = None,
    on: Annotated[On | None, typer.Option(help="Where to run [default: embedded].")] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(metavar="PATH", help="Run on this cluster: fake nodes are added, and removed again.")
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, add fake nodes to the cluster of --kubeconfig.")] = False,
    assets: Annotated[
        Path | None, typer.Option(metavar="DIR", help="etcd and kube-apiserver [default: KUBEBUILDER_ASSETS].")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="NAME=N,...", help="Numbers in place of those of the workload's size.")
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="Create the measured pods before the scheduler starts, or while it runs [precreate]."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="Create N pods per second, steadily.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long --rate goes on.")] = 60.0,
    against: Annotated[Against | None, typer.Option(help="Measure this scheduler in turn with Roost.")] = None,
    against_binary: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Its program [default: beside kube-apiserver, else PATH].")
    ] = None,
    against_percentage: Annotated[
        int | None, typer.Option(min=0, max=100, metavar="N", help="Its percentageOfNodesToScore [default: its own].")
    ] = None,
    scheduler_name: Annotated[
        str, typer.Option(metavar="NAME", help="spec.schedulerName of the pods.")
    ] = "roost-bench",
    runs: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 1,
    output: Annotated[Output, typer.Option("--output", "-o", help="How the report looks.")] = Output.text,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw throughput over time (needs roost[plot]).")
    ] = None,
    logs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the logs of all programs here [default: only if it fails].")
    ] = None,
    list: Annotated[bool, typer.Option("--list", help="Show the workloads and their sizes.")] = False,
) -> None:
    from roost.cli.bench_run import Settings, bench_all, print_workloads

    if list:
        print_workloads()
        return
    settings = Settings(
        workloads=tuple(names or ()),
        on=on.value if on else "",
        kubeconfig=kubeconfig,
        context=context,
        yes=yes,
        assets=assets,
        size=size or "",
        mode=mode.value if mode else "",
        rate=rate,
        seconds=seconds,
        against=against.value if against else "",
        against_binary=against_binary,
        against_percentage=against_percentage,
        scheduler_name=scheduler_name,
        runs=runs,
        output=output.value,
        plot=plot,
        logs=logs,
    )
    bench_all(settings)


bench.__doc__ = HELP
