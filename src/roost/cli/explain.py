"""`roost explain`: its options. What is asked is in `explaining`, what is printed in `explain_table` and its like."""

from enum import StrEnum
from typing import Annotated

import typer

HELP = """
Say why a pod is pending, or why it goes where it goes, and what would change that.

Asks a live cluster, whoever schedules there, or reads what kubectl or roost dump printed. First comes what no filter
says (no such scheduler, a gate, a claim), then the decision with its numbers, then single changes that would make the
pod fit: each is verified by deciding again. Nothing is changed.

Examples:

\b
  roost explain pod/web-0 -n shop                          a live cluster
  roost explain deployment/web -n shop                     the first of its pods that waits, or why there is none
  roost explain -f dump.json --pod shop/web-0              offline; kubectl get nodes,pods -A -o json > dump.json
  roost explain --manifest pod.yaml                        a pod that does not exist yet
  roost explain pod/web-0 -n shop --prefer node-3          why not there?
  roost explain pod/web-0 -n shop -o html > why.html       every node and rule, to sort and to look into

Exit codes: 0 the pod is explained, 1 failure, 2 wrong usage.
"""


class Output(StrEnum):
    """How the answer is printed."""

    table = "table"
    json = "json"
    yaml = "yaml"
    html = "html"


def explain(
    target: Annotated[
        str, typer.Argument(metavar="[pod/NAME]", help="A pod, or deployment/NAME and the like.", show_default=False)
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace of the pod [default: default].")
    ] = "",
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="FILE", help="Read the cluster from here; may be repeated, - is stdin."),
    ] = None,
    pod: Annotated[str, typer.Option(metavar="NAMESPACE/NAME", help="The pod, in place of the argument.")] = "",
    manifest: Annotated[
        str, typer.Option(metavar="FILE", help="A pod (or what makes pods) that does not exist yet.")
    ] = "",
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Decide as this KubeSchedulerConfiguration says.")
    ] = None,
    prefer: Annotated[str, typer.Option(metavar="NODE", help="Say why not there, and what would move it.")] = "",
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print the answer.")] = Output.table,
    kubeconfig: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Kubeconfig file [default: KUBECONFIG, ~/.kube/config, the pod's account]."),
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="API server without a login, such as that of kubectl proxy.")
    ] = None,
) -> None:
    from roost.cli.explaining import Question, answer_question, settle_target

    question = Question(
        target=settle_target(target, namespace, pod, manifest),
        files=file or [],
        manifest=manifest,
        config=config,
        prefer=prefer,
        connection=(kubeconfig, context, server),
    )
    print(answer_question(question, output.value))  # noqa: T201


explain.__doc__ = HELP
