"""`roost rebalance`: its options. What runs is in `rebalance_spot`, what is printed in `rebalance_view`."""

from enum import StrEnum
from typing import Annotated

import typer

from roost.cli.logs import LogFormat, LogLevel, set_up_logs

rebalance = typer.Typer(help="Move pods to where they cost less.", no_args_is_help=True, rich_markup_mode=None)

HELP = """
Empty an on-demand node whose pods all have a place on spot nodes.

Prints which node can be drained, where each of its pods would go, and why other nodes cannot be drained. With --apply
it then evicts these pods, as far as their disruption budgets allow it; the cluster autoscaler can remove the node.

Examples:

\b
  roost rebalance spot                           a plan; nothing is changed
  roost rebalance spot -o json
  roost rebalance spot --apply                   drain one node, and end
  roost rebalance spot --apply --every 10s       go on until told to stop, at most one node in ten minutes
  roost rebalance spot --spot-node-label pool=spot --on-demand-node-label pool=on-demand

Exit codes: 0 ended as asked, 1 failure (the node was not drained), 2 wrong usage.
"""


class Output(StrEnum):
    """How the plan is printed."""

    table = "table"
    json = "json"


class Landing(StrEnum):
    """Where the plan puts a pod."""

    best = "best"
    fullest = "fullest"


@rebalance.callback()
def _group() -> None:
    """Keep `spot` a command of its own while it is the only one."""


@rebalance.command(help=HELP)
def spot(
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Drain the node, or only say so.")] = False,
    every: Annotated[
        str | None,
        typer.Option(
            "--every", "--housekeeping-interval", metavar="DURATION", help="Look again this often [default: once]."
        ),
    ] = None,
    spot_node_label: Annotated[
        str | None, typer.Option(metavar="KEY[=VALUE]", help="What spot nodes have [default: the known labels].")
    ] = None,
    on_demand_node_label: Annotated[
        str | None, typer.Option(metavar="KEY[=VALUE]", help="What on-demand nodes have [default: all other nodes].")
    ] = None,
    landing: Annotated[
        Landing, typer.Option(help="Plan with the best node for each pod, or the fullest that takes it.")
    ] = Landing.best,
    delete_non_replicated_pods: Annotated[
        bool, typer.Option("--delete-non-replicated-pods", help="Evict pods that no controller brings back.")
    ] = False,
    delete_emptydir_data: Annotated[
        bool, typer.Option("--delete-emptydir-data", help="Evict pods with data on the node's disk.")
    ] = False,
    node_drain_delay: Annotated[
        str, typer.Option(metavar="DURATION", help="Rest this long after a drain, with --every.")
    ] = "10m",
    pod_eviction_timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Ask for the eviction of a pod for this long.")
    ] = "2m",
    max_graceful_termination: Annotated[
        str, typer.Option(metavar="DURATION", help="The most time that a pod gets to end.")
    ] = "2m",
    kubeconfig: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
    ] = None,
    leader_elect: Annotated[
        bool, typer.Option("--leader-elect/--no-leader-elect", help="Work only while holding the lease.")
    ] = False,
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Namespace of the lease.")] = "roost-system",
    health_address: Annotated[
        str | None,
        typer.Option(
            "--health-address",
            "--listen-address",
            metavar="HOST:PORT",
            help="Serve /livez, /readyz, /healthz and /metrics here.",
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print the plan.")] = Output.table,
    log_level: Annotated[LogLevel, typer.Option(help="What is worth a line on standard error.")] = LogLevel.info,
    log_format: Annotated[LogFormat, typer.Option(help="How the lines look.")] = LogFormat.text,
) -> None:
    set_up_logs(log_level, log_format)
    from roost.cli.rebalance_spot import rebalance_spot, settle

    settings = settle(
        apply=apply,
        every=every,
        spot_node_label=spot_node_label,
        on_demand_node_label=on_demand_node_label,
        landing=landing.value,
        delete_non_replicated_pods=delete_non_replicated_pods,
        delete_emptydir_data=delete_emptydir_data,
        node_drain_delay=node_drain_delay,
        pod_eviction_timeout=pod_eviction_timeout,
        max_graceful_termination=max_graceful_termination,
        lease_namespace=namespace if leader_elect else "",
        health_address=health_address,
        as_json=output is Output.json,
    )
    rebalance_spot(settings, kubeconfig, context, server)
