"""What `roost run` can be told, and reading it without Typer where it is written plainly.

Typer takes 150 ms of CPU to load; a scheduler that starts anew has better uses for them. So plain options are read
here: `--name value`, `--name=value`, and flags, each once. Whatever else is there (--help, a mistake, an abbreviation)
is Typer's to read and to answer.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from roost.cli.logs import LogFormat, LogLevel, set_up_logs


class Tie(StrEnum):
    """Which of several best nodes wins."""

    first = "first"
    spread = "spread"
    random = "random"


class UsageSource(StrEnum):
    """Where measured usage comes from."""

    annotations = "annotations"
    metrics_server = "metrics-server"
    prometheus = "prometheus"


class RunOptions(Struct, frozen=True, kw_only=True):
    """The options by their names."""

    kubeconfig: str | None = None
    context: str | None = None
    server: str | None = None
    config: str | None = None
    policy: str | None = None
    scheduler_name: str | None = None
    tie: Tie | None = None
    usage_source: UsageSource = UsageSource.annotations
    prometheus: str | None = None
    once: bool = False
    leader_elect: bool | None = None
    health_address: str | None = None
    log_level: LogLevel = LogLevel.info
    log_format: LogFormat = LogFormat.text


_FLAGS = {
    "--once": ("once", True),
    "--leader-elect": ("leader_elect", True),
    "--no-leader-elect": ("leader_elect", False),
}
_CHOICES: dict[str, type[StrEnum]] = {
    "tie": Tie,
    "usage_source": UsageSource,
    "log_level": LogLevel,
    "log_format": LogFormat,
}
_VALUES = {f"--{name.replace('_', '-')}": name for name in RunOptions.__struct_fields__}


def plain_options(arguments: Sequence[str]) -> RunOptions | None:
    """Return the options if all are written plainly, else None."""
    given: dict[str, Any] = {}
    found: Any
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option in _FLAGS and not equals:
            name, found = _FLAGS[option]
        elif option in _VALUES and option not in _FLAGS:
            name, found = _VALUES[option], value if equals else next(rest, "-")
        else:
            return None
        if name in given or (isinstance(found, str) and found.startswith("-")):
            return None
        given[name] = found
    return _chosen(given)


def _chosen(given: dict[str, Any]) -> RunOptions | None:
    for name, choice in _CHOICES.items():
        if name in given:
            if given[name] not in set(choice):
                return None
            given[name] = choice(given[name])
    return RunOptions(**given)


def start(options: RunOptions) -> None:
    """Do what `roost run` does; raises RoostError."""
    set_up_logs(options.log_level, options.log_format)
    from roost.cli.serve import serve
    from roost.cli.settings import settle

    settings = settle(
        kubeconfig=options.kubeconfig,
        context=options.context,
        server=options.server,
        config=options.config,
        policy=options.policy,
        scheduler_name=options.scheduler_name,
        tie=options.tie.value if options.tie else None,
        leader_elect=options.leader_elect,
        health_address=options.health_address,
        usage_source=options.usage_source.value,
        prometheus=options.prometheus,
    )
    serve(settings, once=options.once)
