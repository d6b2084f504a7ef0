from pathlib import Path

import pytest
import yaml

from roost.bench.schedulers import kube_scheduler, roost
from roost.bench.target import Target
from roost.client import ConnectionInfo


def target(*, speaks_protobuf: bool = True, context: str = "") -> Target:
    return Target(
        name="embedded",
        info=ConnectionInfo("http://127.0.0.1:1"),
        kubeconfig=Path("/k/config"),
        context=context,
        speaks_protobuf=speaks_protobuf,
    )


def configuration(folder: Path, **options: bool) -> dict[str, object]:
    command = kube_scheduler(Path("/bin/ks"), 100).arguments(target(**options), "mine", folder)
    assert command == ["/bin/ks", "--config", str(folder / "kube-scheduler.yaml"), "--secure-port", "0"]
    return dict(yaml.safe_load((folder / "kube-scheduler.yaml").read_text()))


def test_kube_scheduler_is_not_held_back_by_its_client_or_a_lease(tmp_path: Path) -> None:
    assert configuration(tmp_path) == {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": "/k/config", "qps": 5000, "burst": 5000},
        "percentageOfNodesToScore": 100,
        "profiles": [{"schedulerName": "mine"}],
    }


def test_on_the_embedded_cluster_it_speaks_json(tmp_path: Path) -> None:
    connection = configuration(tmp_path, speaks_protobuf=False)["clientConnection"]
    assert connection == {
        "kubeconfig": "/k/config",
        "qps": 5000,
        "burst": 5000,
        "contentType": "application/json",
    }


@pytest.mark.parametrize("context", ["", "other"])
def test_roost_runs_as_a_user_would_run_it(context: str, tmp_path: Path) -> None:
    command = roost(Path("/bin/roost")).arguments(target(context=context), "mine", tmp_path)
    where = ["--context", context] if context else []
    assert command == ["/bin/roost", "run", "--kubeconfig", "/k/config", *where, "--scheduler-name", "mine"]
