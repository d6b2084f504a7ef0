"""`roost config convert`: a scheduler Policy, which Kubernetes has removed, as a configuration of today."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

config = typer.Typer(help="Convert configurations of older schedulers.", no_args_is_help=True, rich_markup_mode=None)

HELP = """
Print a scheduler Policy as KubeSchedulerConfiguration v1.

Takes a Policy (JSON or YAML), a ConfigMap with policy.cfg, a KubeSchedulerConfiguration v1alpha1, or a manifest with
all of them. Prints what kube-scheduler and roost run --config take today; comments on top say what is not the same.

Examples:

\b
  roost config convert policy.json > scheduler.yaml
  roost config convert extender.yaml                     a manifest: the ConfigMaps in it are found
  roost config convert config.yaml policy.json           a configuration and the policy file it names
  kubectl get configmap -n kube-system my-scheduler-policy -o yaml | roost config convert -
"""


class Output(StrEnum):
    """How the configuration is printed."""

    yaml = "yaml"
    json = "json"


@config.callback()
def _group() -> None:
    """Keep `convert` a command of its own while it is the only one."""


@config.command(help=HELP)
def convert(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files; - is standard input.")],
    scheduler_name: Annotated[
        str, typer.Option(metavar="NAME", help="Schedule pods with this spec.schedulerName [default: as written].")
    ] = "",
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.yaml,
) -> None:
    from roost.cli.convert import as_json, as_yaml, convert_files

    converted = convert_files(files, scheduler_name)
    if output is Output.yaml:
        print(as_yaml(converted, files))  # noqa: T201
        return
    print(as_json(converted))  # noqa: T201
    for note in filter(None, (converted.weights, *converted.notes)):
        print(f"roost: {note}", file=sys.stderr)  # noqa: T201
