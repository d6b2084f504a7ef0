"""`roost new policy`: a policy to begin with, in a package of its own. What is written is in `new_policy`."""

from pathlib import Path
from typing import Annotated

import typer

new = typer.Typer(help="Write a package to begin with.", no_args_is_help=True, rich_markup_mode=None)

HELP = """
Write a package with a policy, its test, a README, a Dockerfile and manifests.

It works at once, and the README has the commands: its test, roost demo, behind a kube-scheduler, on a cluster.

Examples:

\b
  roost new policy cheap-nodes                   ./cheap-nodes with the class CheapNodes in cheap_nodes.py
  roost new policy CheapNodes --output policies/cheap
"""


@new.callback()
def _group() -> None:
    """Keep `policy` a command of its own while it is the only one."""


@new.command(help=HELP)
def policy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as cheap-nodes, cheap_nodes or CheapNodes.")],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write into this folder [default: the name, here].")
    ] = None,
) -> None:
    from roost.cli.new_policy import names_from, next_steps, write_package

    names = names_from(name)
    folder = output or Path(names.project)
    files = write_package(names, folder)
    print(next_steps(names, folder, files))  # noqa: T201
