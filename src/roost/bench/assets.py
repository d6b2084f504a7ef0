"""Finds the programs of a control plane: etcd, kube-apiserver and, to compare with, kube-scheduler."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from roost.errors import ConfigError

VARIABLE = "KUBEBUILDER_ASSETS"
ETCD, APISERVER, KUBE_SCHEDULER = "etcd", "kube-apiserver", "kube-scheduler"


def find_assets(named: Path | None = None) -> Path:
    """Return the folder that has etcd and kube-apiserver; raises ConfigError that says how to name one."""
    for folder in _candidates(named):
        missing = [name for name in (ETCD, APISERVER) if not (folder / name).is_file()]
        if not missing:
            return folder
        if named or os.environ.get(VARIABLE):
            origin = "--assets" if named else VARIABLE
            raise ConfigError(f"{origin}: there is no {' and no '.join(missing)} in {folder}")
    raise ConfigError(
        f"--on control-plane needs etcd and kube-apiserver: name their folder with --assets or {VARIABLE} "
        "(setup-envtest brings both, and e2e/controlplane/build.sh builds them)"
    )


def find_kube_scheduler(named: Path | None = None, assets: Path | None = None) -> Path:
    """Return the kube-scheduler: the named one, the one beside kube-apiserver, or that of PATH."""
    if named:
        if not named.is_file():
            raise ConfigError(f"--against-binary: there is no file {named}")
        return named
    for folder in _candidates(assets):
        if (folder / KUBE_SCHEDULER).is_file():
            return folder / KUBE_SCHEDULER
    found = shutil.which(KUBE_SCHEDULER)
    if found is None:
        raise ConfigError(
            "--against kube-scheduler: there is none in the assets and none in PATH; --against-binary PATH"
        )
    return Path(found)


def _candidates(named: Path | None) -> Iterator[Path]:
    """Yield the named folder, else that of the variable, else those that the end-to-end tests have built."""
    variable = os.environ.get(VARIABLE)
    if named or variable:
        yield named or Path(variable or "")
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roost" / "controlplane"
    built = [folder for folder in cache.glob("*") if (folder / APISERVER).is_file()]
    yield from sorted(built, key=lambda folder: folder.stat().st_mtime, reverse=True)
