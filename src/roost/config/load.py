"""Reads a configuration file or text, and checks what holds between its fields.

Nothing here knows plugins: `profiles` does. What is of use for a file only is imported where one is read: a scheduler
that runs without a configuration file never needs it.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from roost.config.configuration import (
    API_VERSION,
    KIND,
    Configuration,
    LeaderElection,
    ProfileConfiguration,
)
from roost.config.decode import at, decode
from roost.config.documents import read_document, read_documents
from roost.config.extenders import Problem, extender_problems
from roost.errors import ConfigError

logger = logging.getLogger(__name__)


def load_configuration(source: Path | str) -> Configuration:
    """Return the configuration in a file (a Path) or in a text, YAML or JSON."""
    if isinstance(source, str):
        return _parse(source)
    try:
        return _parse(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _parse(text: str) -> Configuration:
    data = _converted(text)
    if data is None:
        data = read_document(text)
        _check_header(data)
    configuration = decode(data, Configuration)
    for path, problem in _problems(configuration):
        raise at(path, problem)
    return configuration


def _converted(text: str) -> Any:
    """Return what kube-scheduler read before v1 as v1, with a warning, or None if the text is nothing of the kind."""
    from roost.config.legacy.convert import convert, numbered

    converted = convert(numbered(read_documents(text)))
    if converted is None:
        return None
    logger.warning(
        "this configuration is of a form that Kubernetes removed in 1.23, and is converted; "
        "`roost config convert FILE` prints it as kubescheduler.config.k8s.io/v1, to keep"
    )
    for note in converted.notes:
        logger.info("%s", note)
    return converted.data


def _check_header(data: Any) -> None:
    if not isinstance(data, dict):
        raise ConfigError(f"no {KIND}: a mapping with apiVersion, kind and profiles is expected")
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        given = data.get(field)
        if given != expected:
            raise at(field, f"is {given}, not {expected}" if given else f"is missing; it must be {expected}")


def _problems(configuration: Configuration) -> Iterator[Problem]:
    if configuration.parallelism <= 0:
        yield "parallelism", "must be greater than 0"
    if configuration.client_connection.burst < 0:
        yield "clientConnection.burst", "must not be negative"
    yield from _percentage_problems("", configuration)
    yield from _backoff_problems(configuration)
    yield from _lease_problems(configuration.leader_election)
    yield from _profile_problems(configuration.profiles)
    yield from extender_problems(configuration.extenders)


def _percentage_problems(path: str, where: Configuration | ProfileConfiguration) -> Iterator[Problem]:
    if not 0 <= where.percentage_of_nodes_to_score <= 100:
        yield f"{path}percentageOfNodesToScore", "must be from 0 to 100"


def _backoff_problems(configuration: Configuration) -> Iterator[Problem]:
    if configuration.pod_initial_backoff_seconds <= 0:
        yield "podInitialBackoffSeconds", "must be greater than 0"
    if configuration.pod_max_backoff_seconds < configuration.pod_initial_backoff_seconds:
        yield "podMaxBackoffSeconds", "must not be less than podInitialBackoffSeconds"


def _lease_problems(election: LeaderElection) -> Iterator[Problem]:
    """Find what would keep a lease from working; as in kube-scheduler, only an election that is wanted is looked at."""
    rules = (
        ("resourceLock", election.resource_lock == "leases", "must be leases"),
        ("resourceName", election.resource_name, "must not be empty"),
        ("resourceNamespace", election.resource_namespace, "must not be empty"),
        ("retryPeriod", election.retry_period > 0, "must be greater than 0"),
        ("renewDeadline", election.renew_deadline > election.retry_period, "must be greater than retryPeriod"),
        ("leaseDuration", election.lease_duration > election.renew_deadline, "must be greater than renewDeadline"),
    )
    for field, holds, problem in rules:
        if election.leader_elect and not holds:
            yield f"leaderElection.{field}", problem


def _profile_problems(profiles: Sequence[ProfileConfiguration]) -> Iterator[Problem]:
    first: dict[str | None, int] = {}
    for i, profile in enumerate(profiles):
        name, path = profile.scheduler_name, f"profiles[{i}].schedulerName"
        if name == "":
            yield path, "must not be empty"
        if name is None and len(profiles) > 1:
            yield path, "is missing; where there are several profiles each needs a name of its own"
        if name in first:
            yield path, f"{name} is the name of profiles[{first[name]}] already"
        first[name] = i
        yield from _percentage_problems(f"profiles[{i}].", profile)
