"""Find which API server to talk to: what the user named, else a kubeconfig, else the pod's own service account.

Kubeconfigs (and login plugins) are imported where they are met: a pod starts without them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from roost.client.target import ConnectionInfo, Pem, Tls, TokenFile, parse_address
from roost.errors import ConfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connection_info(
    kubeconfig: str | None = None, context: str | None = None, server: str | None = None
) -> ConnectionInfo:
    """Return the server to talk to; explicit arguments win over KUBECONFIG, the default file and the pod's own."""
    if server:
        return at_server(server)
    files = kubeconfig_files(kubeconfig, os.environ, Path.home())
    if files:
        from roost.client.kubeconfig import load

        return _checked(load(files, context))
    if context:
        raise ConfigError(f"--context {context} needs a kubeconfig; name one with --kubeconfig or KUBECONFIG")
    return in_cluster(os.environ)


def at_server(server: str) -> ConnectionInfo:
    """Return a bare URL as kubectl proxy offers it: no login, the system's certificate authorities."""
    return _checked(ConnectionInfo(server.rstrip("/")))


def kubeconfig_files(kubeconfig: str | None, environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the kubeconfig files to merge: the named one, those of KUBECONFIG that exist, or the default one."""
    if kubeconfig:
        return [Path(kubeconfig).expanduser()]
    named = [Path(path) for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    candidates = named or [home / ".kube" / "config"]
    files = [path for path in candidates if path.exists()]
    if named and not files:
        raise ConfigError(f"KUBECONFIG names {', '.join(map(str, named))}, which does not exist; correct or unset it")
    return files


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> ConnectionInfo:
    """Return what Kubernetes gives each pod: two variables, a token that rotates, and the cluster's authority."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    token, authority = folder / "token", folder / "ca.crt"
    if not host or not port:
        raise ConfigError(
            "no cluster to talk to: name a kubeconfig with --kubeconfig or KUBECONFIG, a server with --server, "
            "or run inside a pod (there is no ~/.kube/config here)"
        )
    if not token.exists():
        raise ConfigError(f"this pod has no {token}; set automountServiceAccountToken or name a kubeconfig")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    tls = Tls(authority=Pem(str(authority), path=str(authority)))
    return _checked(ConnectionInfo(server, tls, TokenFile(str(token)), "the service account of this pod"))


def _checked(info: ConnectionInfo) -> ConnectionInfo:
    parse_address(info.server)
    return info
