"""`roost whatif`: its options. What they ask is in `whatif_run`, what is printed in `whatif_view`."""

from enum import StrEnum
from typing import Annotated

import typer

whatif = typer.Typer(
    help="Say what would happen: a node drained, another policy, more pods. Nothing is changed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DRAIN_HELP = """
Say where the pods of a node would go if it were drained, and what would hold that.

Prints which pods find a place elsewhere and which stay pending, with the scheduler's reason; pods without a controller,
data on the node and disruption budgets that stand in the way; and how full the cluster is before and after.

Examples:

\b
  roost whatif drain node-3                      a live cluster; nothing is changed
  roost whatif drain node-3 node-4               both at once
  roost whatif drain node-3 -f dump.json         offline; kubectl get nodes,pods,pdb -A -o json > dump.json
  roost whatif drain node-3 --fail-on-pending    exit code 1 if a pod finds no place

Exit codes: 0 answered, 1 failure, or pods stay pending and --fail-on-pending is given, 2 wrong usage.
"""

POLICY_HELP = """
Say which pods would be elsewhere if another policy had placed them, the oldest first.

All pods are placed anew but those of DaemonSets, static pods and those that are leaving.

Examples:

\b
  roost whatif policy SpotFirst                  a live cluster; nothing is changed
  roost whatif policy cheap:Cheapest             the class Cheapest in cheap.py here
  roost whatif policy --config scheduler.yaml    the profiles of a configuration, each for the pods that name it
  roost whatif policy SpotFirst --scheduler-name roost      only the pods that name this scheduler

Exit codes: 0 answered, 1 failure, or pods stay pending and --fail-on-pending is given, 2 wrong usage.
"""

ADD_HELP = """
Say where the pods of a manifest would go: of Deployments, ReplicaSets, StatefulSets, Jobs, and pods.

Examples:

\b
  roost whatif add -f deploy.yaml                        a live cluster; nothing is changed
  roost whatif add -f deploy.yaml --policy SpotFirst     placed by a policy
  roost whatif add -f deploy.yaml --file dump.json       offline

Exit codes: 0 answered, 1 failure, or pods stay pending and --fail-on-pending is given, 2 wrong usage.
"""


class Output(StrEnum):
    """How the answer is printed."""

    table = "table"
    json = "json"


_FILE_HELP = "Read the cluster from here; may be repeated, - is stdin."
_File = Annotated[list[str] | None, typer.Option("--file", "-f", metavar="FILE", help=_FILE_HELP)]
_Policy = Annotated[
    str | None, typer.Option(metavar="NAME[,NAME...]", help="Place with this policy [default: kube-scheduler's].")
]
_Config = Annotated[
    str | None, typer.Option(metavar="FILE", help="Place as this KubeSchedulerConfiguration says, without extenders.")
]
_Output = Annotated[Output, typer.Option("--output", "-o", help="How to print the answer.")]
_FailOnPending = Annotated[bool, typer.Option("--fail-on-pending", help="Exit with 1 if a pod stays pending.")]
_Kubeconfig = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
]
_Context = Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")]
_Server = Annotated[
    str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
]


@whatif.command(help=DRAIN_HELP)
def drain(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help="The nodes to drain.", show_default=False)],
    file: _File = None,
    policy: _Policy = None,
    config: _Config = None,
    output: _Output = Output.table,
    fail_on_pending: _FailOnPending = False,
    kubeconfig: _Kubeconfig = None,
    context: _Context = None,
    server: _Server = None,
) -> None:
    from roost.cli.whatif_run import Options, drain_nodes

    connection = (kubeconfig, context, server)
    _print(drain_nodes(nodes, Options(file or (), connection, policy, config, output.value, fail_on_pending)))


@whatif.command(help=POLICY_HELP)
def policy(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME[,NAME...]]", help="Score with these only: plugin names or module:Class."),
    ] = None,
    config: _Config = None,
    scheduler_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Place only pods with this spec.schedulerName; may be repeated."),
    ] = None,
    file: _File = None,
    output: _Output = Output.table,
    fail_on_pending: _FailOnPending = False,
    kubeconfig: _Kubeconfig = None,
    context: _Context = None,
    server: _Server = None,
) -> None:
    from roost.cli.whatif_run import Options, place_anew

    connection = (kubeconfig, context, server)
    options = Options(file or (), connection, name, config, output.value, fail_on_pending)
    _print(place_anew(scheduler_name or (), options))


@whatif.command(help=ADD_HELP)
def add(
    manifest: Annotated[
        list[str], typer.Option("--manifest", "-f", metavar="FILE", help="What to add; may be repeated, - is stdin.")
    ],
    file: Annotated[list[str] | None, typer.Option("--file", metavar="FILE", help=_FILE_HELP)] = None,
    policy: _Policy = None,
    config: _Config = None,
    output: _Output = Output.table,
    fail_on_pending: _FailOnPending = False,
    kubeconfig: _Kubeconfig = None,
    context: _Context = None,
    server: _Server = None,
) -> None:
    from roost.cli.whatif_run import Options, add_objects

    connection = (kubeconfig, context, server)
    _print(add_objects(manifest, Options(file or (), connection, policy, config, output.value, fail_on_pending)))


def _print(answered: tuple[str, int]) -> None:
    text, exit_code = answered
    print(text)  # noqa: T201
    raise typer.Exit(exit_code)
