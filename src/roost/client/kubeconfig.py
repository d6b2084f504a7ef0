"""Read kubeconfig files as kubectl does: merge them, pick a context, and say in one sentence what is wrong.

`load` reads files; everything else is a plain function on their text. What a context may hold is typed below, so a
wrong field is named by its place in the file. Relative paths in a file belong to the folder that file is in.
"""

from base64 import b64decode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from roost.client.target import Anonymous, Basic, ConnectionInfo, ExecPlugin, Login, Pem, Tls, Token, TokenFile
from roost.errors import ConfigError

Text = str | None


class Cluster(Struct, frozen=True, rename="kebab"):
    """A `cluster` entry."""

    server: Text = None
    certificate_authority: Text = None
    certificate_authority_data: Text = None
    insecure_skip_tls_verify: bool | None = None
    tls_server_name: Text = None
    proxy_url: Text = None
    extensions: list[dict[str, Any]] | None = None


class User(Struct, frozen=True, rename="kebab"):
    """A `user` entry."""

    token: Text = None
    token_file: Text = field(default=None, name="tokenFile")
    client_certificate: Text = None
    client_certificate_data: Text = None
    client_key: Text = None
    client_key_data: Text = None
    username: Text = None
    password: Text = None
    exec: dict[str, Any] | None = None
    auth_provider: dict[str, Any] | None = None


class Context(Struct, frozen=True):
    """A `context` entry."""

    cluster: str = ""
    user: str = ""


class NamedCluster(Struct, frozen=True):
    """A cluster and its name; `folder` is where the file is that it came from."""

    name: str
    cluster: Cluster | None = None
    folder: str = ""


class NamedUser(Struct, frozen=True):
    """A user and its name."""

    name: str
    user: User | None = None
    folder: str = ""


class NamedContext(Struct, frozen=True):
    """A context and its name."""

    name: str
    context: Context | None = None
    folder: str = ""


class Kubeconfig(Struct, frozen=True, rename="kebab"):
    """One kubeconfig, or several merged; `source` names the files."""

    clusters: list[NamedCluster] | None = None
    users: list[NamedUser] | None = None
    contexts: list[NamedContext] | None = None
    current_context: Text = None
    source: str = ""


class Named(Protocol):
    """An entry that is looked up by name."""

    @property
    def name(self) -> str:
        """The name."""
        ...


N = TypeVar("N", bound=Named)
S = TypeVar("S", bound=Struct)


def load(paths: Sequence[Path], context: str | None = None) -> ConnectionInfo:
    """Read the files, merge them and return what the context (or the current one) says."""
    return select(merge([parse(_read(path), path) for path in paths]), context)


def parse(text: str, path: Path) -> Kubeconfig:
    """Turn the text of one file, YAML or JSON, into values."""
    try:
        config = msgspec.convert(_yaml(text, path) or {}, Kubeconfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path} is not a kubeconfig: {error}") from error
    folder = str(path.parent)
    return Kubeconfig(
        clusters=[NamedCluster(entry.name, entry.cluster, folder) for entry in config.clusters or ()],
        users=[NamedUser(entry.name, entry.user, folder) for entry in config.users or ()],
        contexts=config.contexts or [],
        current_context=config.current_context,
        source=str(path),
    )


def merge(configs: Sequence[Kubeconfig]) -> Kubeconfig:
    """Merge files as kubectl does: of entries of one name, and of current contexts, the first wins."""
    return Kubeconfig(
        clusters=_first(entry for config in configs for entry in config.clusters or ()),
        users=_first(entry for config in configs for entry in config.users or ()),
        contexts=_first(entry for config in configs for entry in config.contexts or ()),
        current_context=next((config.current_context for config in configs if config.current_context), None),
        source=":".join(config.source for config in configs),
    )


def select(config: Kubeconfig, context: str | None = None) -> ConnectionInfo:
    """Return what a context of the kubeconfig says; raises ConfigError naming what is missing."""
    name = context or config.current_context
    if not name:
        raise ConfigError(f"{config.source} has no current-context; name one with --context: {_names(config.contexts)}")
    chosen = _find("context", name, config.contexts, config.source).context or Context()
    cluster = _find("cluster", chosen.cluster, config.clusters, config.source)
    user = _find("user", chosen.user, config.users, config.source) if chosen.user else NamedUser("")
    tls = _tls(cluster, user)
    server = (cluster.cluster or Cluster()).server
    if not server:
        raise ConfigError(f"cluster {cluster.name!r} in {config.source} has no server; write its URL there")
    return ConnectionInfo(server, tls, _login(user, cluster), f"context {name!r} of the kubeconfig {config.source}")


def _tls(cluster: NamedCluster, user: NamedUser) -> Tls:
    spec, login = cluster.cluster or Cluster(), user.user or User()
    of_cluster, of_user = f"of cluster {cluster.name!r} in the kubeconfig", f"of user {user.name!r} in the kubeconfig"
    if spec.proxy_url:
        raise ConfigError(f"proxy-url {of_cluster} is not supported; remove it and reach {spec.server} directly")
    certificate = _pem(
        "client-certificate", of_user, login.client_certificate_data, login.client_certificate, user.folder
    )
    key = _pem("client-key", of_user, login.client_key_data, login.client_key, user.folder)
    if (certificate is None) != (key is None):
        raise ConfigError(f"client-certificate and client-key {of_user} belong together: one of them is missing")
    return Tls(
        authority=_pem(
            "certificate-authority",
            of_cluster,
            spec.certificate_authority_data,
            spec.certificate_authority,
            cluster.folder,
        ),
        verify=not spec.insecure_skip_tls_verify,
        server_name=spec.tls_server_name or "",
        certificate=certificate,
        key=key,
    )


def _pem(kind: str, owner: str, data: Text, path: Text, folder: str) -> Pem | None:
    if data:
        return Pem(f"{kind}-data {owner}", text=_decode(data, f"{kind}-data {owner}"))
    return Pem(f"{kind} {owner}", path=str(Path(folder, path))) if path else None


def _decode(data: str, name: str) -> str:
    try:
        return b64decode("".join(data.split()), validate=True).decode("ascii")
    except ValueError as error:
        raise ConfigError(f"{name} is not base64 of a PEM file: {error}") from error


def _login(user: NamedUser, cluster: NamedCluster) -> Login:
    spec = user.user or User()
    if spec.auth_provider:
        name = spec.auth_provider.get("name", "?")
        raise ConfigError(
            f"user {user.name!r} logs in by auth-provider {name!r}, gone since kubectl 1.26; use an exec plugin instead"
        )
    if spec.token_file:
        return TokenFile(str(Path(user.folder, spec.token_file)))
    if spec.token:
        return Token(spec.token)
    if spec.username or spec.password:
        return Basic(spec.username or "", spec.password or "")
    return _exec_plugin(user, spec.exec, cluster) if spec.exec else Anonymous()


def _exec_plugin(user: NamedUser, config: dict[str, Any], cluster: NamedCluster) -> ExecPlugin:
    command = config.get("command")
    if not isinstance(command, str) or not command or not isinstance(config.get("apiVersion"), str):
        raise ConfigError(f"exec of user {user.name!r} in the kubeconfig needs a command and an apiVersion")
    if "/" in command:
        command = str(Path(user.folder, command))
    spec = cluster.cluster or Cluster()
    asked = {key: value for key, value in msgspec.to_builtins(spec).items() if value is not None}
    return ExecPlugin(user.name, {**config, "command": command}, asked)


def _find(kind: str, name: str, entries: Sequence[N] | None, source: str) -> N:
    for entry in entries or ():
        if entry.name == name:
            return entry
    raise ConfigError(f"{kind} {name!r} is not in the kubeconfig {source}; it has: {_names(entries)}")


def _names(entries: Iterable[Named] | None) -> str:
    return ", ".join(entry.name for entry in entries or ()) or "none"


def _first(entries: Iterable[N]) -> list[N]:
    found: dict[str, N] = {}
    for entry in entries:
        found.setdefault(entry.name, entry)
    return list(found.values())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"cannot read the kubeconfig {path}: {reason}") from error


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        _refuse_yaml(error, path)


def _refuse_yaml(error: Any, path: Path) -> NoReturn:
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    raise ConfigError(f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or error}") from error
