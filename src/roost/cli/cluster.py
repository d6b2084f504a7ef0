"""`roost cluster`: an embedded cluster that stays until Ctrl-C, for kubectl and for schedulers to be tried on."""

from pathlib import Path
from typing import Annotated

import typer

HELP = """
Run an embedded Kubernetes API with nodes.

On this machine, with nothing installed: bound pods become Running, Deployments make pods, kubectl works. It is for
trying and for tests: everything is in memory, and no container ever runs.

Examples:

\b
  roost cluster                                  ten nodes in three zones
  roost cluster --nodes 100 --zones 3 --spot 0.5
  kubectl --kubeconfig PATH get nodes            with the path that is printed
  roost run --kubeconfig PATH                    a scheduler for it, in another terminal
"""


def cluster(
    nodes: Annotated[int, typer.Option(min=0, help="How many nodes.")] = 10,
    zones: Annotated[int, typer.Option(min=1, max=26, help="Over how many zones.")] = 3,
    spot: Annotated[float, typer.Option(min=0, max=1, help="Which share of them is spot.")] = 0.3,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1 [default: a free one].")] = 0,
    kubeconfig: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the kubeconfig here.")] = None,
) -> None:
    from roost.cli.embedded import stay

    stay(nodes=nodes, zones=zones, spot=spot, port=port, kubeconfig=kubeconfig)


cluster.__doc__ = HELP
