"""`roost demo`: a cluster, a Deployment and a scheduler in one process, and why every pod went where it did."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

HELP = """
Show pods being scheduled, and why.

On an embedded cluster: six nodes in three zones, some of them spot; a Deployment whose pods find their nodes, and one
whose pod fits nowhere. Ends by itself within seconds.

Examples:

\b
  roost demo                              kube-scheduler's default scores
  roost demo --policy SpotFirst           another policy: see roost plugins
  roost demo --policy cheap:Cheapest      the class Cheapest in cheap.py here
  roost demo -o json                      for programs
  roost demo --keep                       leave the cluster up, for kubectl
  roost demo -f nodes.yaml -f pods.yaml --config scheduler.yaml      a cluster, pods and a configuration of yours

With extenders in the configuration, --extender serves them, as `roost extend` would, on free ports of this machine:

\b
  roost demo -f nodes.yaml -f pods.yaml --config scheduler.yaml --extender SafeOverload,SafeBalance
"""


class Output(StrEnum):
    """How the demo is shown."""

    table = "table"
    json = "json"


def demo(
    policy: Annotated[
        str | None, typer.Option(metavar="NAME[,NAME...]", help="Score with these only [default: kube-scheduler's].")
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="KubeSchedulerConfiguration, as for roost run.")
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option("--manifest", "-f", metavar="FILE", help="Apply these objects instead; may be given again."),
    ] = None,
    extender: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|NAME[,NAME...]",
            help="Serve the next extender's address, as roost extend does with this; may be given again.",
        ),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, max=100, help="How many nodes, if no manifest has any.")] = 6,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.table,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster up until Ctrl-C.")] = False,
) -> None:
    from roost.cli.demo_run import run_demo

    run_demo(
        policy,
        config=config,
        manifests=manifest or (),
        extenders=extender or (),
        nodes=nodes,
        as_json=output is Output.json,
        keep=keep,
    )


demo.__doc__ = HELP
