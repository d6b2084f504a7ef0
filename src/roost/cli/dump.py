"""`roost dump`: what a decision needs of a cluster, as a file that may be handed on."""

from typing import Annotated

import typer

HELP = """
Write what a decision needs of a cluster, and nothing secret, for roost explain -f.

Nodes, pods, and what else schedulers read, with the fields that they read: no environment, commands, Secrets,
ConfigMaps or managed fields, and only the annotations that plugins read. Leases and the events of schedulers and
controllers are there too.

Examples:

\b
  roost dump > dump.json                       a live cluster
  roost dump -f big.json > dump.json           what kubectl get … -o json printed, reduced
  roost dump --annotation example.com/price    keep an annotation that a policy of your own reads
"""


def dump(
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="FILE", help="Reduce this file; may be repeated, - is stdin."),
    ] = None,
    annotation: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Keep this annotation too; may be repeated.")
    ] = None,
    kubeconfig: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
    ] = None,
) -> None:
    from roost.cli.dumping import dump_cluster, dump_files

    if file:
        dump_files(file, annotation or [])
    else:
        dump_cluster((kubeconfig, context, server), annotation or [])


dump.__doc__ = HELP
