"""`roost annotate`: the options of its commands. What they mean and what runs is in `annotating`.

A module that is imported here is imported by `roost --help` too.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from roost.cli.logs import LogFormat, LogLevel, set_up_logs

HELP = """
Write what policies read into annotations of nodes.

Each command runs until SIGTERM or Ctrl-C, or with --once for one round, as a CronJob does.
"""

ALLOCATION = """
Write what pods request of each node, and what that leaves.

Annotations requested-R and free-R for R in cpu (milli-cores), memory, ephemeral-storage (bytes), pods and gpu, and
roost.dev/allocation-at. The policies of pigeon read them.

Examples:

\b
  roost annotate allocation                      the cluster of your kubeconfig, every minute
  roost annotate allocation --once
  roost annotate allocation --gpu-resource amd.com/gpu
"""

USAGE = """
Write what is free of each node, as it was measured: mean, standard deviation, and if asked for a forecast.

Annotations mean-free-R, std-free-R, forecasted-free-R for R in cpu (milli-cores) and memory (bytes), and
roost.dev/usage-at. SafeOverload and SafeBalance read them.

Examples:

\b
  roost annotate usage                           from metrics-server, over an hour that is kept in memory
  roost annotate usage --prometheus http://prometheus.monitoring:9090 --forecast
  roost annotate usage --prometheus URL --once   over the last 24 hours
"""

PRICE = """
Write what each node costs, from a file.

Annotation roost.dev/price-per-hour, which CheapestNode reads. The file is YAML, JSON or CSV: prices by node name, or by
label selector, as docs/how-to/annotate-nodes.md says. It is read again when it changes.

Examples:

\b
  roost annotate price prices.yaml
  roost annotate price prices.csv --hightower --once
  roost annotate price --list                    what nodes cost now
"""

annotate = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


class UsageFrom(StrEnum):
    """Where usage comes from."""

    metrics_server = "metrics-server"
    prometheus = "prometheus"


Kubeconfig = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
]
Context = Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")]
Server = Annotated[
    str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
]
Once = Annotated[bool, typer.Option("--once", help="One round, then end.")]
Interval = Annotated[
    str | None, typer.Option(metavar="TIME", help="Time between rounds [default: 60s; ANNOTATE_FREQ in seconds].")
]
Refresh = Annotated[
    str | None, typer.Option(metavar="TIME", help="Age from which an unchanged node gets a new time [default: 5m].")
]
Rate = Annotated[float, typer.Option(metavar="N", min=0.01, help="Patches of nodes a second, in the long run.")]
Burst = Annotated[int, typer.Option(metavar="N", min=1, help="Patches at once.")]
Health = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Serve /livez, /readyz, /healthz and /metrics here.")
]
Level = Annotated[LogLevel, typer.Option(help="What is worth a line on standard error.")]
Format = Annotated[LogFormat, typer.Option(help="How the lines look.")]


@annotate.command(help=ALLOCATION)
def allocation(
    gpu_resource: Annotated[
        str, typer.Option(metavar="NAME", help="The extended resource that counts as gpu.")
    ] = "nvidia.com/gpu",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    once: Once = False,
    interval: Interval = None,
    refresh: Refresh = None,
    patches_per_second: Rate = 10.0,
    burst: Burst = 20,
    health_address: Health = None,
    log_level: Level = LogLevel.info,
    log_format: Format = LogFormat.text,
) -> None:
    set_up_logs(log_level, log_format)
    from roost.cli.annotating import annotate_allocation, settle

    settings = settle(kubeconfig, context, server, once, interval, refresh, (patches_per_second, burst), health_address)
    annotate_allocation(settings, gpu_resource)


@annotate.command(help=USAGE)
def usage(
    source: Annotated[
        UsageFrom | None,
        typer.Option(help="Where usage comes from [default: prometheus if --prometheus or PROM_IP is given]."),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Prometheus [default: PROM_IP and PROM_PORT, 127.0.0.1:9090].")
    ] = None,
    token_file: Annotated[str | None, typer.Option(metavar="PATH", help="Bearer token for Prometheus.")] = None,
    ca_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="Certificate authority of Prometheus [default: the system's].")
    ] = None,
    instance_label: Annotated[
        str, typer.Option(metavar="LABEL", help="Label that holds a node's InternalIP or name.")
    ] = "instance",
    exporter_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Port of node exporters [default: NODE_EXP_PORT, 9100]."),
    ] = None,
    matchers: Annotated[
        str | None, typer.Option(metavar="TEXT", help="More label matchers, such as 'job=\"node-exporter\"'.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="TIME", help="Past that counts [default: 24h; 1h from metrics-server].")
    ] = None,
    step: Annotated[str | None, typer.Option(metavar="TIME", help="Time between samples [default: 60s].")] = None,
    rate_window: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time over which Prometheus takes the CPU rate [default: 5m].")
    ] = None,
    forecast: Annotated[
        bool | None, typer.Option("--forecast/--no-forecast", help="Forecast too [default: USE_FORECAST, no].")
    ] = None,
    use_requests: Annotated[
        bool | None,
        typer.Option(
            "--use-requests/--no-use-requests",
            help="Count nothing as used that pods have not requested [default: USE_REQ, no].",
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    once: Once = False,
    interval: Interval = None,
    refresh: Refresh = None,
    patches_per_second: Rate = 10.0,
    burst: Burst = 20,
    health_address: Health = None,
    log_level: Level = LogLevel.info,
    log_format: Format = LogFormat.text,
) -> None:
    set_up_logs(log_level, log_format)
    import os

    from roost.cli.annotating import annotate_usage, settle
    from roost.cli.usage_source import is_on, usage_options

    settings = settle(kubeconfig, context, server, once, interval, refresh, (patches_per_second, burst), health_address)
    options = usage_options(
        os.environ,
        source=source.value if source else None,
        prometheus=prometheus,
        token_file=token_file,
        ca_file=ca_file,
        instance_label=instance_label,
        matchers=matchers,
        exporter_port=exporter_port,
        rate=rate_window,
        window=window,
        step=step,
    )
    annotate_usage(
        settings,
        options,
        forecasts=is_on(os.environ, "USE_FORECAST") if forecast is None else forecast,
        use_requests=is_on(os.environ, "USE_REQ") if use_requests is None else use_requests,
    )


@annotate.command(help=PRICE)
def price(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Prices, as YAML, JSON or CSV.")] = None,
    hightower: Annotated[bool, typer.Option("--hightower", help="Write hightower.com/cost as well.")] = False,
    show: Annotated[bool, typer.Option("--list", "-l", help="Print the prices that nodes have, and end.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    once: Once = False,
    interval: Interval = None,
    patches_per_second: Rate = 10.0,
    burst: Burst = 20,
    health_address: Health = None,
    log_level: Level = LogLevel.info,
    log_format: Format = LogFormat.text,
) -> None:
    set_up_logs(log_level, log_format)
    from roost.cli.annotating import annotate_price, list_prices, settle

    settings = settle(kubeconfig, context, server, once, interval, None, (patches_per_second, burst), health_address)
    if show:
        list_prices(settings)
    else:
        annotate_price(settings, file, hightower=hightower)
