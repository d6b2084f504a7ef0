"""Where the API server is, how to trust it and how to log in: the values a connection is made from.

They come from a kubeconfig, from a pod's service account or from a bare URL; nothing here reads a file. Secrets never
show in a `repr`, so that a value may be logged.
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from roost.errors import ConfigError


class Pem(Struct, frozen=True):
    """PEM text, here or in a file, and how a message calls it."""

    name: str
    text: str = ""
    path: str = ""

    def __repr__(self) -> str:
        return f"Pem({self.name!r})"


class Tls(Struct, frozen=True):
    """How the server is verified and which client certificate is shown; no authority means the system's."""

    authority: Pem | None = None
    verify: bool = True
    server_name: str = ""
    certificate: Pem | None = None
    key: Pem | None = None


class Anonymous(Struct, frozen=True):
    """No Authorization header: a client certificate, or kubectl proxy."""


class Token(Struct, frozen=True):
    """A bearer token that never changes."""

    token: str

    def __repr__(self) -> str:
        return "Token(…)"


class TokenFile(Struct, frozen=True):
    """A bearer token in a file that somebody rotates."""

    path: str


class Basic(Struct, frozen=True):
    """A user name and a password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Basic({self.username!r}, …)"


class ExecPlugin(Struct, frozen=True):
    """A program that prints credentials: the `exec` section of a kubeconfig, and the cluster it may ask about."""

    user: str
    config: dict[str, Any]
    cluster: dict[str, Any]

    def __repr__(self) -> str:
        return f"ExecPlugin({self.config.get('command')!r})"


Login = Anonymous | Token | TokenFile | Basic | ExecPlugin


class ConnectionInfo(Struct, frozen=True):
    """All it takes to connect; `origin` says in messages where it was written."""

    server: str
    tls: Tls = Tls()
    login: Login = Anonymous()
    origin: str = "the command line"


class Address(Struct, frozen=True):
    """A server's URL, taken apart."""

    host: str
    port: int
    secure: bool
    path: str

    @property
    def host_header(self) -> str:
        """The Host header: IPv6 in brackets, the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default_port(self.secure) else f"{host}:{self.port}"


def default_port(secure: bool) -> int:
    """Return the port that https and http stand for."""
    return 443 if secure else 80


def parse_address(server: str) -> Address:
    """Take a server URL apart; raises ConfigError naming what is missing."""
    try:
        url = urlsplit(server)
        port = url.port
    except ValueError as error:
        raise ConfigError(f"server {server!r} is not a URL ({error}); write it like https://127.0.0.1:6443") from error
    if url.scheme not in ("https", "http") or not url.hostname:
        raise ConfigError(
            f"server {server!r} is not a URL with http:// or https://; write it like https://127.0.0.1:6443"
        )
    secure = url.scheme == "https"
    return Address(url.hostname, port or default_port(secure), secure, url.path.rstrip("/"))
