"""Run the login plugin that a kubeconfig names, through the official `kubernetes` package.

That package is imported only here and only when a kubeconfig asks for it: it takes a fifth of a second to load.
"""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from msgspec import Struct, ValidationError, convert

from roost.client.target import ExecPlugin, Pem
from roost.errors import ConfigError, Unauthorized


class ExecStatus(Struct, frozen=True, rename="camel"):
    """What a plugin printed."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: str | None = None

    @property
    def certificate(self) -> tuple[Pem, Pem] | None:
        """The client certificate and its key, if the plugin gave both."""
        if not self.client_certificate_data or not self.client_key_data:
            return None
        name = "the client certificate of the login plugin"
        return Pem(name, text=self.client_certificate_data), Pem(name, text=self.client_key_data)

    @property
    def expires_at(self) -> float:
        """When it expires, in seconds since 1970; infinite if it does not."""
        if not self.expiration_timestamp:
            return float("inf")
        return datetime.fromisoformat(self.expiration_timestamp).timestamp()


class _Section(dict[str, Any]):
    """The exec section in the shape that the official package reads."""

    def safe_get(self, key: str) -> Any:
        """Return a field, or None."""
        return self.get(key)


def run(plugin: ExecPlugin) -> ExecStatus:
    """Run the plugin to its end (it may ask its user something) and return what it printed."""
    provider = _provider()
    try:
        status = provider(_Section(plugin.config), None, SimpleNamespace(value=plugin.cluster)).run()
    except FileNotFoundError as error:
        hint = plugin.config.get("installHint") or "install it, or correct exec.command in the kubeconfig"
        raise ConfigError(f"{_name(plugin)} is not installed: {str(hint).strip()}") from error
    except OSError as error:
        raise ConfigError(f"{_name(plugin)} cannot be run: {error.strerror}") from error
    except Exception as error:
        raise Unauthorized(f"{_name(plugin)} failed: {error}; run it by hand to see why", status=401) from error
    return read(status, plugin)


def read(status: Any, plugin: ExecPlugin) -> ExecStatus:
    """Read the status of an ExecCredential; raises Unauthorized if there is nothing to log in with."""
    try:
        printed = convert(status, ExecStatus)
        printed.expires_at  # noqa: B018 - a date that cannot be read is refused here, not when it is due
    except (ValidationError, ValueError) as error:
        raise Unauthorized(f"{_name(plugin)} printed a status that cannot be read: {error}", status=401) from error
    if not printed.token and printed.certificate is None:
        raise Unauthorized(f"{_name(plugin)} printed neither a token nor a client certificate", status=401)
    return printed


def _provider() -> Any:
    try:
        from kubernetes.config.exec_provider import ExecProvider
    except ImportError as error:
        raise ConfigError("the kubeconfig logs in by an exec plugin; for that, pip install 'roost[exec]'") from error
    return ExecProvider


def _name(plugin: ExecPlugin) -> str:
    return f"the login plugin {plugin.config.get('command')!r} of user {plugin.user!r}"
