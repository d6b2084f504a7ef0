"""What the options and variables of `roost extend` together ask for; options win."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from roost.api.quantity import value
from roost.cli.extend_choices import ExtendLogLevel
from roost.cli.logs import LogFormat, set_up_logs
from roost.cli.settings import ANNOTATIONS, settle_usage
from roost.client import ConnectionInfo, connection_info
from roost.client.find import SERVICE_ACCOUNT, kubeconfig_files
from roost.config.configuration import Configuration, Duration
from roost.config.extender_profile import Compat, extender_profile
from roost.config.load import load_configuration
from roost.errors import ConfigError, InvalidObject
from roost.framework.profile import Profile
from roost.telemetry.health import parse_address

if TYPE_CHECKING:
    from roost.cli.usage_source import UsageOptions

PORT = 8888
_HIGHEST_PORT = 65535

logger = logging.getLogger("roost.extender")

TlsFiles = tuple[str | None, str | None, str | None]
"""Certificate, private key, certificates of those who sign the clients'."""


class ExtenderSettings(Struct, frozen=True, kw_only=True):
    """Everything that `serve_extender` needs to know; `info` is None without a cluster."""

    profile: Profile
    is_original: bool
    address: str
    port: int
    info: ConnectionInfo | None
    is_cluster_named: bool
    tls_files: TlsFiles
    health_address: str | None
    body_limit: int
    stale_after: float
    seed: int
    usage: "UsageOptions | None" = None
    """Where measured usage comes from, if it is not from annotations."""


def set_up_extender_logs(level: ExtendLogLevel | None, log_format: LogFormat) -> None:
    """Send the logs to standard error; LOG_LEVEL says what is worth a line unless the option does."""
    text = os.environ.get("LOG_LEVEL")
    known = {one.value: one for one in ExtendLogLevel}
    set_up_logs(level or known.get((text or "").lower(), ExtendLogLevel.info), log_format)
    if level is None and text is not None and text.lower() not in known:
        # The replaced extenders' own words, for whoever looks for them in logs.
        logger.warning('LOG_LEVEL="%s" is empty or invalid, fallling back to "INFO".', text.upper())


def settle_extender(
    *,
    policy: str | None,
    config: str | None,
    compat: Compat,
    address: str,
    port: int | None,
    kubeconfig: str | None,
    context: str | None,
    server: str | None,
    no_cluster: bool,
    tls_files: TlsFiles,
    health_address: str | None,
    body_limit: str,
    stale_after: str,
    seed: int,
    usage_source: str = ANNOTATIONS,
    prometheus: str | None = None,
) -> ExtenderSettings:
    """Return the settings; raises ConfigError with what is wrong."""
    if (policy is None) == (config is None):
        raise ConfigError("name policies with --policy, or a file that enables some with --config; one of the two")
    written = load_configuration(Path(config)) if config else Configuration()
    named = kubeconfig or written.client_connection.kubeconfig or None
    if no_cluster and (named or context or server):
        raise ConfigError("--no-cluster: leave it out, or what names a cluster (--kubeconfig, --context, --server)")
    is_named = bool(named or context or server)
    usage = settle_usage(usage_source, prometheus)
    info = connection_info(named, context, server) if is_named or not (no_cluster or _is_alone()) else None
    if usage is not None and info is None:
        raise ConfigError(f"--usage-source {usage_source}: needs a cluster to know its nodes; name one")
    return ExtenderSettings(
        profile=_profile(policy, config, written, compat, is_alone=info is None),
        is_original=compat == "original",
        address=address,
        port=_port() if port is None else port,
        info=info,
        is_cluster_named=is_named,
        tls_files=_checked_files(tls_files),
        health_address=_checked_address(health_address) if health_address else None,
        body_limit=_bytes(body_limit),
        stale_after=_seconds(stale_after),
        seed=seed,
        usage=usage,
    )


def _profile(
    policy: str | None, config: str | None, written: Configuration, compat: Compat, *, is_alone: bool
) -> Profile:
    try:
        return extender_profile(written if policy is None else _names(policy), compat=compat, is_alone=is_alone)
    except ConfigError as error:
        raise ConfigError(f"{config or '--policy'}: {error}") from error


def _names(policy: str) -> Sequence[str]:
    return [name.strip() for name in policy.split(",") if name.strip()]


def _is_alone() -> bool:
    """Tell whether there is nothing that could lead to a cluster."""
    in_pod = os.environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").exists()
    return not in_pod and not kubeconfig_files(None, os.environ, Path.home())


def _port() -> int:
    text = os.environ.get("HTTP_PORT", "")
    if not text:
        return PORT
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        raise ConfigError(f"HTTP_PORT: {text!r} is not a port from 0 to {_HIGHEST_PORT}; correct or unset it")
    return int(text)


def _checked_files(files: TlsFiles) -> TlsFiles:
    cert, key, client_ca = files
    if bool(cert) != bool(key):
        raise ConfigError("--tls-cert-file and --tls-private-key-file go together; give both or none")
    if client_ca and not cert:
        raise ConfigError("--client-ca-file: needs --tls-cert-file and --tls-private-key-file")
    return files


def _checked_address(text: str) -> str:
    try:
        parse_address(text)
    except ConfigError as error:
        raise ConfigError(f"--health-address: {error}") from error
    return text


def _bytes(text: str) -> int:
    try:
        size = value(text)
    except InvalidObject as error:
        raise ConfigError(f"--body-limit: {error}") from error
    if size <= 0:
        raise ConfigError(f"--body-limit: must be more than 0, not {text}")
    return size


def _seconds(text: str) -> float:
    try:
        seconds = Duration.parse(text)
    except ValueError as error:
        raise ConfigError(f"--stale-after: {error}") from error
    if seconds <= 0:
        raise ConfigError(f"--stale-after: must be more than 0, not {text}")
    return seconds
