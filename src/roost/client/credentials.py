"""What a connection shows to be let in, now: read again when it expires and after the server refused it.

A token that never changes is read once. A token file is read at most once a minute; an exec plugin runs when its token
is about to expire. After a 401 either is asked again, but a plugin not more than once in ten seconds. Many requests
that find a credential stale share one renewal. What is missing at the start is the user's mistake; what goes missing
later (a file in the middle of its rotation) leaves the last credential in use.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from roost.client.target import Anonymous, Basic, ExecPlugin, Login, Pem, Token, TokenFile
from roost.errors import ConfigError

FILE_LIFE = 60.0
EARLY = 10.0
PATIENCE = 10.0


class Credential(Struct, frozen=True):
    """The value of the Authorization header (empty for none), a client certificate with its key, and its end."""

    authorization: str = ""
    expires_at: float = float("inf")
    certificate: tuple[Pem, Pem] | None = None

    def __repr__(self) -> str:
        return "Credential(…)"


class Credentials:
    """The credential in use, renewed when it must be."""

    def __init__(self, login: Login, clock: Callable[[], float] = time.time) -> None:
        self.current = Credential(expires_at=float("-inf"))
        self._login = login
        self._clock = clock
        self._lock = asyncio.Lock()
        self._obtained_at = float("-inf")

    @property
    def stale(self) -> bool:
        """Whether `refresh` has something to do."""
        return self._clock() >= self.current.expires_at

    async def refresh(self) -> None:
        """Renew the credential if it is stale and nobody else has done so meanwhile."""
        async with self._lock:
            if self.stale:
                await self._renew()

    async def replace(self, refused: Credential) -> bool:
        """Renew what the server refused; return whether there is something else to show now."""
        async with self._lock:
            if self.current is refused and self._may_renew():
                await self._renew()
            return _shown(self.current) != _shown(refused)

    def _may_renew(self) -> bool:
        if isinstance(self._login, ExecPlugin):
            return self._clock() - self._obtained_at >= PATIENCE
        return isinstance(self._login, TokenFile)

    async def _renew(self) -> None:
        try:
            self.current = await asyncio.to_thread(obtain, self._login, self._clock())
        except ConfigError:
            if self._obtained_at == float("-inf"):
                raise
            self.current = replace(self.current, expires_at=self._clock() + FILE_LIFE)
        self._obtained_at = self._clock()


def obtain(login: Login, now: float) -> Credential:
    """Read or ask for what the login says; this may block, for as long as a plugin runs."""
    match login:
        case Token(token):
            return Credential(_bearer(token, "the token in the kubeconfig"))
        case TokenFile(path):
            return Credential(_bearer(_read(path), path), now + FILE_LIFE)
        case Basic(username, password):
            return Credential("Basic " + b64encode(f"{username}:{password}".encode()).decode())
        case ExecPlugin():
            return _from_plugin(login)
        case Anonymous():
            return Credential()


def _from_plugin(plugin: ExecPlugin) -> Credential:
    from roost.client import exec_plugin

    printed = exec_plugin.run(plugin)
    authorization = _bearer(printed.token, "the token of the login plugin") if printed.token else ""
    return Credential(authorization, printed.expires_at - EARLY, printed.certificate)


def _bearer(token: str, name: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{name} is empty or not a bearer token: it may not contain blanks or line breaks")
    return f"Bearer {token}"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the token file {path}: {getattr(error, 'strerror', None) or error}") from error


def _shown(credential: Credential) -> tuple[str, tuple[Pem, Pem] | None]:
    return credential.authorization, credential.certificate
