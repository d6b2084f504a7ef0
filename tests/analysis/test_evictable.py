from typing import Any

import pytest
from tests.analysis.spot_world import DAEMON_SET, budget, pod

from roost.analysis.evictable import SAFE_TO_EVICT, SAFE_VOLUMES, DrainRules, by_namespace, fate_of, over_budget
from roost.api.draining import DisruptionBudget

DATA = {"volumes": [{"name": "data", "emptyDir": {}}]}
MIRROR = {"annotations": {"kubernetes.io/config.mirror": "f00"}}
KUBELET = {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "a", "controller": True}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": True}


def marked(value: str) -> dict[str, Any]:
    return {"annotations": {SAFE_TO_EVICT: value}}


@pytest.mark.parametrize(
    ("how", "fate"),
    [
        pytest.param({}, "moves", id="a pod of a ReplicaSet moves"),
        pytest.param({"owner": JOB}, "moves", id="and one of a Job"),
        pytest.param({"owner": None}, "holds", id="a pod of nobody holds the node"),
        pytest.param({"owner": None, "metadata": marked("true")}, "moves", id="unless it is marked safe to evict"),
        pytest.param({"metadata": marked("false")}, "holds", id="a pod marked as not safe to evict holds it"),
        pytest.param({"owner": DAEMON_SET}, "stays", id="a DaemonSet's pod stays"),
        pytest.param({"owner": DAEMON_SET, "metadata": marked("false")}, "stays", id="whatever its mark"),
        pytest.param({"owner": None, "metadata": MIRROR}, "stays", id="a mirror pod stays"),
        pytest.param({"owner": KUBELET}, "stays", id="and one that the kubelet owns"),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "stays", id="a pod being deleted is left to it"
        ),
        pytest.param({"spec": DATA}, "holds", id="an emptyDir holds the node"),
        pytest.param({"spec": DATA, "metadata": marked("true")}, "moves", id="unless the pod is marked"),
        pytest.param(
            {"spec": DATA, "metadata": {"annotations": {SAFE_VOLUMES: "cache, data"}}},
            "moves",
            id="or the volume is marked",
        ),
        pytest.param(
            {"spec": DATA, "metadata": {"annotations": {SAFE_VOLUMES: "cache"}}}, "holds", id="not another volume"
        ),
        pytest.param(
            {"spec": {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]}}, "moves", id="memory is no data"
        ),
        pytest.param(
            {"spec": {"volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}]}}, "holds", id="a hostPath is"
        ),
        pytest.param(
            {"spec": {"volumes": [{"name": "c", "configMap": {"name": "c"}}]}}, "moves", id="a ConfigMap is not"
        ),
    ],
)
def test_what_a_drain_means_for_a_pod(how: dict[str, Any], fate: str) -> None:
    assert fate_of(pod("web", "a", **how), DrainRules()).fate == fate


@pytest.mark.parametrize(
    ("rules", "how", "fate"),
    [
        pytest.param({"delete_non_replicated": True}, {"owner": None}, "moves", id="a pod of nobody may go"),
        pytest.param({"delete_local_data": True}, {"spec": DATA}, "moves", id="local data may go"),
        pytest.param({"delete_non_replicated": True}, {"spec": DATA}, "holds", id="one does not imply the other"),
        pytest.param(
            {"delete_non_replicated": True, "delete_local_data": True},
            {"metadata": marked("false")},
            "holds",
            id="nothing overrules the mark",
        ),
    ],
)
def test_rules_that_lose_something_must_be_asked_for(rules: dict[str, bool], how: dict[str, Any], fate: str) -> None:
    assert fate_of(pod("web", "a", **how), DrainRules(**rules)).fate == fate


def test_the_reason_names_the_option() -> None:
    assert "--delete-non-replicated-pods" in fate_of(pod("web", owner=None), DrainRules()).why
    assert "its volume data; --delete-emptydir-data" in fate_of(pod("web", spec=DATA), DrainRules()).why


TWO = [pod(name, "a", labels={"app": "web"}) for name in ("web-1", "web-2")]


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        pytest.param([], "", id="no budget, no limit"),
        pytest.param([budget("web", 2, app="web")], "", id="a budget that allows both"),
        pytest.param(
            [budget("web", 1, app="web")],
            "default/web-2 is one too many: its disruption budget web allows 1 at a time",
            id="one that allows one of them",
        ),
        pytest.param(
            [budget("web", 0, app="web")],
            "default/web-1 may not be evicted now: its disruption budget web allows no disruption",
            id="one that allows none",
        ),
        pytest.param([budget("api", 0, app="api")], "", id="a budget of other pods"),
        pytest.param([budget("web", 0, namespace="shop", app="web")], "", id="a budget of another namespace"),
        pytest.param(
            [budget("all", 0)],
            "default/web-1 may not be evicted now: its disruption budget all allows no disruption",
            id="an empty selector covers all pods",
        ),
        pytest.param(
            [budget("web", 5, generation=2, app="web")],
            "default/web-1 may not be evicted now: its disruption budget web allows no disruption",
            id="a budget whose status is behind allows none",
        ),
        pytest.param(
            [budget("web", 5, app="web"), budget("all", 5)],
            "default/web-1 has several disruption budgets (all and web), and Kubernetes evicts no such pod",
            id="two budgets for one pod",
        ),
    ],
)
def test_budgets_are_kept_by_all_pods_together(budgets: list[DisruptionBudget], why: str) -> None:
    assert over_budget(TWO, by_namespace(budgets)) == why
