"""`roost extend`: its options. What they mean is in `extend_settings`, what runs is in `serve_extender`."""

from typing import Annotated

import typer

from roost.cli.extend_choices import Compat, ExtendLogLevel
from roost.cli.logs import LogFormat
from roost.cli.run_options import UsageSource

HELP = """
Serve policies to kube-scheduler, as an extender.

kube-scheduler asks over HTTP which nodes fit a pod and which are best. With nodeCacheCapable: true it sends names, and
the answers come from the cluster that this command watches; with false it sends the nodes themselves, and no cluster is
needed.

Examples:

\b
  roost extend --policy SafeOverload,SafeBalance --port 5401
  roost extend --policy NodeIndex --compat original    the numbers of the program that it replaces
  roost extend --policy cheap:Cheapest --no-cluster    a policy of your own, nodes in full only
  roost extend --config extender.yaml                  a KubeSchedulerConfiguration with one profile

Exit codes: 0 ended as asked, 1 failure, 2 wrong usage or configuration.
"""


def extend(
    policy: Annotated[
        str | None, typer.Option(metavar="NAME[,NAME...]", help="Policies: plugin names or module:Class.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="KubeSchedulerConfiguration with one profile, instead of names.")
    ] = None,
    compat: Annotated[
        Compat | None, typer.Option(help="Have policies give the numbers of the programs that they replace.")
    ] = None,
    address: Annotated[str, typer.Option(metavar="HOST", help="Listen here; :: for IPv6.")] = "0.0.0.0",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port [default: the variable HTTP_PORT, or 8888].")
    ] = None,
    kubeconfig: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
    ] = None,
    no_cluster: Annotated[bool, typer.Option("--no-cluster", help="Look for no cluster: nodes in full only.")] = False,
    tls_cert_file: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate: serve HTTPS.")] = None,
    tls_private_key_file: Annotated[str | None, typer.Option(metavar="FILE", help="Its private key.")] = None,
    client_ca_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Ask clients for certificates signed by one of these.")
    ] = None,
    health_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve probes and metrics here too, over plain HTTP.")
    ] = None,
    body_limit: Annotated[str, typer.Option(metavar="SIZE", help="The largest request, such as 256Mi.")] = "256Mi",
    stale_after: Annotated[
        str, typer.Option(metavar="TIME", help="How old a measurement may be, such as 10m or 90s.")
    ] = "10m",
    usage_source: Annotated[
        UsageSource, typer.Option(help="Where the measured usage comes from that policies read.")
    ] = UsageSource.annotations,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Prometheus [default: PROM_IP and PROM_PORT, 127.0.0.1:9090].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for policies that throw dice.")] = 0,
    log_level: Annotated[
        ExtendLogLevel | None, typer.Option(help="What is worth a line [default: the variable LOG_LEVEL, or info].")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How the lines look.")] = LogFormat.text,
) -> None:
    from roost.cli.extend_settings import set_up_extender_logs, settle_extender

    set_up_extender_logs(log_level, log_format)
    settings = settle_extender(
        policy=policy,
        config=config,
        compat=compat.value if compat else None,
        address=address,
        port=port,
        kubeconfig=kubeconfig,
        context=context,
        server=server,
        no_cluster=no_cluster,
        tls_files=(tls_cert_file, tls_private_key_file, client_ca_file),
        health_address=health_address,
        body_limit=body_limit,
        stale_after=stale_after,
        usage_source=usage_source.value,
        prometheus=prometheus,
        seed=seed,
    )
    from roost.cli.serve_extender import serve_extender

    serve_extender(settings)


extend.__doc__ = HELP
