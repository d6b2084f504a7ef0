"""`roost run`: its options. What they mean is in `settings`, what runs is in `serve`; both are imported when it runs.

A module that is imported here is imported by `roost --help` too.
"""

from enum import StrEnum
from typing import Annotated

import typer

from roost.cli.logs import LogFormat, LogLevel, set_up_logs

HELP = """
Schedule pods until told to stop.

Pending pods with spec.schedulerName: roost are decided and bound, one after the other, until SIGTERM or Ctrl-C.

Examples:

\b
  roost run                                      the cluster of your kubeconfig, kube-scheduler's default profile
  roost run --policy RandomNode                  the default filters, and RandomNode to choose
  roost run --policy cheap:Cheapest              a policy of your own: the class Cheapest in cheap.py here
  roost run --config scheduler.yaml              a KubeSchedulerConfiguration, as kube-scheduler takes it
  roost run --once                               decide what is pending now, print what came of it, and end

Exit codes: 0 ended as asked, 1 failure, 2 wrong usage or configuration.
"""


class Tie(StrEnum):
    """Which of several best nodes wins."""

    first = "first"
    spread = "spread"
    random = "random"


class UsageSource(StrEnum):
    """Where measured usage comes from."""

    annotations = "annotations"
    metrics_server = "metrics-server"
    prometheus = "prometheus"


def run(
    kubeconfig: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1).")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME...]", help="Score with these only: plugin names or module:Class."),
    ] = None,
    scheduler_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Schedule pods with this spec.schedulerName [default: roost].")
    ] = None,
    tie: Annotated[Tie | None, typer.Option(help="Which of several best nodes wins [default: first].")] = None,
    usage_source: Annotated[
        UsageSource, typer.Option(help="Where the measured usage comes from that policies read.")
    ] = UsageSource.annotations,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Prometheus [default: PROM_IP and PROM_PORT, 127.0.0.1:9090].")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Schedule what is pending, print a summary, and end.")] = False,
    leader_elect: Annotated[
        bool | None,
        typer.Option("--leader-elect/--no-leader-elect", help="Schedule only while holding the lease."),
    ] = None,
    health_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve /livez, /readyz, /healthz and /metrics here.")
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="What is worth a line on standard error.")] = LogLevel.info,
    log_format: Annotated[LogFormat, typer.Option(help="How the lines look.")] = LogFormat.text,
) -> None:
    set_up_logs(log_level, log_format)
    from roost.cli.serve import serve
    from roost.cli.settings import settle

    settings = settle(
        kubeconfig=kubeconfig,
        context=context,
        server=server,
        config=config,
        policy=policy,
        scheduler_name=scheduler_name,
        tie=tie.value if tie else None,
        leader_elect=leader_elect,
        health_address=health_address,
        usage_source=usage_source.value,
        prometheus=prometheus,
    )
    serve(settings, once=once)


run.__doc__ = HELP
