"""What options and a configuration file together ask for; options win."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from roost.config.configuration import Configuration, Extender, LeaderElection
from roost.config.extenders import ignored_resources
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles, policy_profile
from roost.errors import ConfigError
from roost.framework.profile import Profile, Tie
from roost.telemetry.health import parse_address

if TYPE_CHECKING:
    from roost.cli.usage_source import UsageOptions

ANNOTATIONS = "annotations"


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that `serve` needs to know."""

    kubeconfig: str | None
    context: str | None
    server: str | None
    profiles: Sequence[Profile]
    extenders: Sequence[Extender]
    initial_backoff: float
    max_backoff: float
    election: LeaderElection
    health_address: str | None
    usage: "UsageOptions | None" = None
    """Where measured usage comes from, if it is not from annotations."""


def settle(
    *,
    kubeconfig: str | None,
    context: str | None,
    server: str | None,
    config: str | None,
    policy: str | None,
    scheduler_name: str | None,
    tie: Tie | None,
    leader_elect: bool | None,
    health_address: str | None,
    usage_source: str = ANNOTATIONS,
    prometheus: str | None = None,
) -> Settings:
    """Return the settings; raises ConfigError with what is wrong."""
    written = load_configuration(Path(config)) if config else Configuration()
    election = written.leader_election
    return Settings(
        kubeconfig=kubeconfig or written.client_connection.kubeconfig or None,
        context=context,
        server=server,
        profiles=_profiles(written, config, policy, scheduler_name, tie),
        extenders=written.extenders,
        initial_backoff=written.pod_initial_backoff_seconds,
        max_backoff=written.pod_max_backoff_seconds,
        election=election if leader_elect is None else replace(election, leader_elect=leader_elect),
        health_address=_checked_address(health_address) if health_address else None,
        usage=settle_usage(usage_source, prometheus),
    )


def settle_usage(source: str, prometheus: str | None) -> "UsageOptions | None":
    """Return where measured usage comes from; None for annotations. Raises ConfigError."""
    if source == ANNOTATIONS:
        if prometheus is not None:
            raise ConfigError("--prometheus: is not asked without --usage-source prometheus; add that")
        return None
    from roost.cli.usage_source import usage_options

    return usage_options(os.environ, source=source, prometheus=prometheus)


def _checked_address(text: str) -> str:
    try:
        parse_address(text)
    except ConfigError as error:
        raise ConfigError(f"--health-address: {error}") from error
    return text


def _profiles(
    written: Configuration, config: str | None, policy: str | None, scheduler_name: str | None, tie: Tie | None
) -> Sequence[Profile]:
    profiles = _built(written, config) if policy is None else [_of_policies(policy, written, config)]
    if scheduler_name and len(profiles) > 1:
        raise ConfigError(f"--scheduler-name is for one profile, but {config} has {len(profiles)}; name them there")
    changes = {key: value for key, value in (("scheduler_name", scheduler_name), ("tie", tie)) if value}
    return [replace(profile, **changes) for profile in profiles]


def _of_policies(policy: str, written: Configuration, config: str | None) -> Profile:
    if written.profiles:
        raise ConfigError(f"--policy makes a profile of its own; leave it out, or the profiles of {config}")
    try:
        names = [name.strip() for name in policy.split(",") if name.strip()]
        return policy_profile(names, ignored_resources=ignored_resources(written.extenders))
    except ConfigError as error:
        raise ConfigError(f"--policy: {error}") from error


def _built(written: Configuration, config: str | None) -> Sequence[Profile]:
    try:
        return build_profiles(written)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
