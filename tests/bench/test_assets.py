from pathlib import Path

import pytest

from roost.bench.assets import find_assets, find_kube_scheduler
from roost.errors import ConfigError


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def folder_with(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "assets"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


def test_a_named_folder_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path, "etcd", "kube-apiserver")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/elsewhere")
    assert find_assets(folder) == folder
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    assert find_assets() == folder


def test_what_the_named_folder_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path, "etcd")
    with pytest.raises(ConfigError, match=r"^--assets: there is no kube-apiserver in "):
        find_assets(folder)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    with pytest.raises(ConfigError, match=r"^KUBEBUILDER_ASSETS: there is no kube-apiserver in "):
        find_assets()


def test_without_any_the_way_to_name_one_is_said() -> None:
    with pytest.raises(ConfigError, match="name their folder with --assets or KUBEBUILDER_ASSETS"):
        find_assets()


def test_kube_scheduler_is_beside_kube_apiserver_or_in_path(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "etcd", "kube-apiserver", "kube-scheduler")
    assert find_kube_scheduler(None, folder) == folder / "kube-scheduler"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "kube-scheduler").touch(mode=0o755)
    assert find_kube_scheduler() == tmp_path / "path" / "kube-scheduler"


def test_a_kube_scheduler_that_is_nowhere_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--against-binary PATH"):
        find_kube_scheduler()
    with pytest.raises(ConfigError, match="--against-binary: there is no file"):
        find_kube_scheduler(tmp_path / "nothing")
