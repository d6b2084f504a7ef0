"""A kubeconfig for the embedded cluster: one cluster, one user without credentials, one context."""

from pathlib import Path

NAME = "roost"
_TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {url}
users:
- name: {name}
  user: {{}}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
    namespace: default
current-context: {name}
"""


def write_kubeconfig(path: Path | str, url: str, *, name: str = NAME) -> None:
    """Write a kubeconfig that leads to a server, readable by its owner alone as kubectl likes it."""
    file = Path(path)
    file.touch(mode=0o600)
    file.write_text(kubeconfig(url, name=name), encoding="utf-8")


def kubeconfig(url: str, *, name: str = NAME) -> str:
    """Return a kubeconfig that leads to a server."""
    return _TEMPLATE.format(name=name, url=url)
