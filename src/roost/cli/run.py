"""`roost run`: its options for Typer; `run_options` has the same without, and goes on from there.

A module that is imported here is imported by `roost --help` too.
"""

from typing import Annotated

import typer

from roost.cli.logs import LogFormat, LogLevel
from roost.cli.run_options import RunOptions, Tie, UsageSource, start

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
    start(
        RunOptions(
            kubeconfig=kubeconfig,
            context=context,
            server=server,
            config=config,
            policy=policy,
            scheduler_name=scheduler_name,
            tie=tie,
            usage_source=usage_source,
            prometheus=prometheus,
            once=once,
            leader_elect=leader_elect,
            health_address=health_address,
            log_level=log_level,
            log_format=log_format,
        )
    )


run.__doc__ = HELP
