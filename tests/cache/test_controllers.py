"""Which pods belong together, by the Services that select them and the controller that owns them."""

from typing import Any

import pytest
from msgspec import convert

from roost.api.controllers import PodGrouping, ReplicaSet, ReplicationController, Service, StatefulSet
from roost.api.labels import selects
from roost.api.pod import Pod
from roost.cache import Cache
from roost.testing import pod

Fields = dict[str, Any]


def grouping(kind: type[PodGrouping], selector: Fields | None, name: str = "web", namespace: str = "default") -> Any:
    return convert({"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}, kind)


def service(selector: Fields | None, **where: str) -> Service:
    return grouping(Service, selector, **where)


def owned(kind: str, api_version: str = "apps/v1", *, controller: bool = True, **labels: str) -> Pod:
    owner = {"apiVersion": api_version, "kind": kind, "name": "web", "uid": "u", "controller": controller}
    return pod(labels=labels, metadata={"ownerReferences": [owner]})


def selector_of(one: Pod, *groupings: PodGrouping) -> Fields:
    """Return the labels and expressions that the default selector asks for; empty if there is none."""
    cache = Cache()
    for given in groupings:
        cache.set_controller(given)
    selector = cache.view.default_selector(cache.pod_info(one))
    if selector is None:
        return {}
    asked: Fields = dict(selector.match_labels or {})
    for one_more in selector.match_expressions or ():
        asked[f"{one_more.key} {one_more.operator}"] = one_more.values
    return asked


WEB = {"app": "web"}
REPLICAS = {"matchLabels": {"app": "web", "hash": "1"}}


@pytest.mark.parametrize(
    ("one", "groupings", "expected"),
    [
        pytest.param(pod(labels=WEB), [], {}, id="nothing is known"),
        pytest.param(pod(labels=WEB | {"tier": "x"}), [service(WEB)], WEB, id="a service that selects the pod"),
        pytest.param(pod(labels=WEB), [service({"app": "db"})], {}, id="a service that does not"),
        pytest.param(pod(labels=WEB), [service(WEB, namespace="other")], {}, id="a service of another namespace"),
        pytest.param(pod(labels=WEB), [service(None)], {}, id="a service without a selector"),
        pytest.param(pod(labels=WEB), [service({})], {}, id="a service whose selector is empty"),
        pytest.param(
            pod(labels=WEB | {"tier": "x"}),
            [service(WEB, name="one"), service({"tier": "x"}, name="two")],
            WEB | {"tier": "x"},
            id="several services add up",
        ),
        pytest.param(
            owned("ReplicationController", "v1", app="web"),
            [grouping(ReplicationController, WEB)],
            WEB,
            id="a replication controller",
        ),
        pytest.param(
            owned("ReplicationController", "v1", app="web"),
            [service(WEB), grouping(ReplicationController, {"app": "other"})],
            {"app": "other"},
            id="the labels of a replication controller go before those of services",
        ),
        pytest.param(
            owned("ReplicaSet", app="web"),
            [grouping(ReplicaSet, REPLICAS)],
            {"app": "web", "hash": "1"},
            id="a replica set",
        ),
        pytest.param(
            owned("StatefulSet", app="web"),
            [grouping(StatefulSet, REPLICAS)],
            {"app": "web", "hash": "1"},
            id="a stateful set",
        ),
        pytest.param(
            owned("ReplicaSet", app="web"),
            [service(WEB), grouping(ReplicaSet, {"matchExpressions": [{"key": "hash", "operator": "Exists"}]})],
            WEB | {"hash Exists": None},
            id="a service and the expressions of a replica set",
        ),
        pytest.param(
            owned("ReplicaSet", app="web"),
            [service(WEB), grouping(ReplicaSet, {"matchLabels": {"app": "other"}})],
            WEB | {"app In": ("other",)},
            id="a replica set that contradicts a service: both must hold",
        ),
        pytest.param(
            owned("ReplicaSet", app="web"), [grouping(ReplicaSet, None)], {}, id="a replica set without a selector"
        ),
        pytest.param(
            owned("ReplicaSet", app="web", controller=False),
            [grouping(ReplicaSet, REPLICAS)],
            {},
            id="an owner that is no controller",
        ),
        pytest.param(
            owned("ReplicaSet", "example.com/v1", app="web"),
            [grouping(ReplicaSet, REPLICAS)],
            {},
            id="a kind of another group",
        ),
        pytest.param(owned("Job", "batch/v1", app="web"), [service(WEB)], WEB, id="a job's pods have services only"),
        pytest.param(
            owned("ReplicaSet", app="web"),
            [grouping(ReplicaSet, REPLICAS, namespace="other")],
            {},
            id="an owner in another namespace",
        ),
    ],
)
def test_the_default_selector_of_a_pod(one: Pod, groupings: list[PodGrouping], expected: Fields) -> None:
    assert selector_of(one, *groupings) == expected


def test_a_contradiction_selects_nobody() -> None:
    cache = Cache()
    cache.set_controller(service(WEB))
    cache.set_controller(grouping(ReplicaSet, {"matchLabels": {"app": "other"}}))
    selector = cache.view.default_selector(cache.pod_info(owned("ReplicaSet", app="web")))
    assert not any(selects(selector, {"app": value}) for value in ("web", "other"))


def test_selectors_follow_what_there_is() -> None:
    cache = Cache()
    info = cache.pod_info(pod(labels=WEB | {"tier": "x"}))
    seen = []

    def look() -> None:
        selector = cache.view.default_selector(info)
        seen.append(selector and dict(selector.match_labels or {}))

    for change in (
        lambda: cache.set_controller(service(WEB)),
        lambda: cache.set_controller(service({"tier": "x"})),
        lambda: cache.set_controller(service(None)),
        lambda: cache.set_controller(service(WEB)),
        lambda: cache.remove_controller(service(None)),
    ):
        change()
        look()
    assert seen == [WEB, {"tier": "x"}, None, WEB, None]


def test_what_changes_nothing_for_pods_is_no_change() -> None:
    cache = Cache()
    first, again = (cache.set_controller(service(WEB)) for _ in range(2))
    assert first is not None
    assert first.aspects == {"services"}
    assert again is None
    assert cache.view.journal.mark("services") == 1
    gone, unknown = (cache.remove_controller(service(WEB)) for _ in range(2))
    assert gone is not None
    assert unknown is None
    assert cache.view.journal.mark("services") == 2
