"""`roost plugins`: what can be named in a configuration or with --policy, with arguments and their defaults."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

HELP = """
List the plugins with their arguments.

Examples:

\b
  roost plugins                       all of them
  roost plugins SpotFirst             one
  roost plugins -o json               for programs
"""


class Output(StrEnum):
    """How the list is printed."""

    table = "table"
    json = "json"


def plugins(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.table,
) -> None:
    from roost.config.describe import describe_plugins

    rows = describe_plugins(names or ())
    text = json.dumps(rows, indent=1) if output is Output.json else "\n\n".join(_paragraph(row) for row in rows)
    print(text)  # noqa: T201


plugins.__doc__ = HELP


def _paragraph(row: dict[str, Any]) -> str:
    weight = f", weight {row['weight']}" if "score" in row["extensionPoints"] else ""
    lines = [
        f"{row['name']}  ({row['origin']}{weight})",
        f"  {row['does']}",
        f"  at: {', '.join(row['extensionPoints'])}",
    ]
    lines += [f"  {arg['name']}: {arg['type']} = {json.dumps(arg['default'])}" for arg in row["args"]]
    return "\n".join(lines)
