from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from roost.api.features import required_features
from roost.api.node import Node
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.status import Code, Status
from roost.plugins.intree.node_declared_features import NodeDeclaredFeatures
from roost.testing import node, pod

Fields = dict[str, Any]
Judge = Callable[..., Mapping[str, Status]]

RESTART = "RestartAllContainersOnContainerExits"
USERS = "UserNamespacesHostNetworkSupport"


def declaring(name: str, *features: str) -> Node:
    plain = node(name)
    return msgspec.structs.replace(plain, status=msgspec.structs.replace(plain.status, declared_features=features))


def container(*actions: str) -> Fields:
    return {"name": "c", "restartPolicyRules": [{"action": action} for action in actions]}


RESTARTING = {"containers": [container("RestartAllContainers")]}


@pytest.mark.parametrize(
    ("spec", "features"),
    [
        pytest.param({}, (), id="a plain pod needs none"),
        pytest.param(RESTARTING, (RESTART,), id="a container that restarts all"),
        pytest.param({"containers": [container("Restart")]}, (), id="a container that restarts itself"),
        pytest.param({"containers": [container()]}, (), id="a container with no rule in its list"),
        pytest.param({"containers": [container("Restart", "RestartAllContainers")]}, (RESTART,), id="any of its rules"),
        pytest.param(
            {"containers": [container(), container("RestartAllContainers")]}, (RESTART,), id="any of its containers"
        ),
        pytest.param({"initContainers": [container("RestartAllContainers")]}, (RESTART,), id="an init container"),
        pytest.param({"hostNetwork": True, "hostUsers": False}, (USERS,), id="own users on the host's network"),
        pytest.param({"hostNetwork": True, "hostUsers": True}, (), id="the host's users on the host's network"),
        pytest.param({"hostNetwork": True}, (), id="the host's network and not a word of users"),
        pytest.param({"hostUsers": False}, (), id="own users on a network of its own"),
        pytest.param(
            {"hostNetwork": True, "hostUsers": False, **RESTARTING}, (RESTART, USERS), id="both, in alphabetical order"
        ),
    ],
)
def test_what_a_pod_needs(spec: Fields, features: tuple[str, ...]) -> None:
    assert required_features(pod(spec=spec)) == features


def test_only_nodes_that_declare_all_that_is_needed_are_left(judge: Judge) -> None:
    nodes = [
        declaring("both", "Other", RESTART, USERS),
        declaring("one", RESTART),
        declaring("other", "SomethingElse"),
        node("none"),
    ]
    both = pod(spec={"hostNetwork": True, "hostUsers": False, **RESTARTING})
    assert judge(NodeDeclaredFeatures(), both, nodes).keys() == {"one", "other", "none"}
    assert judge(NodeDeclaredFeatures(), pod(spec=RESTARTING), nodes).keys() == {"other", "none"}
    assert judge(NodeDeclaredFeatures(), pod(), nodes) == {}


def test_the_reason_is_kube_scheduler_s_and_evicting_could_not_help(judge: Judge) -> None:
    status = judge(NodeDeclaredFeatures(), pod(spec=RESTARTING), [node("a")])["a"]
    assert status.code is Code.UnschedulableAndUnresolvable
    assert status.message == "node(s) didn't match Pod's required features"


def test_a_node_that_comes_to_declare_a_feature_is_seen_to_and_one_that_ceases_too() -> None:
    cache, cycle = Cache(), Cycle(default_profile())
    for name in ("a", "b", "c"):
        cache.set_node(node(name))

    def chosen() -> str | None:
        return cycle.decide(cache.pod_info(pod(spec=RESTARTING)), cache.view, Context()).node

    found = [chosen()]
    for changed in (declaring("b", RESTART), node("b"), declaring("c", "Other", RESTART)):
        cache.set_node(changed)
        found.append(chosen())
    cache.remove_node("c")
    cache.set_node(node("d"))
    found.append(chosen())
    assert found == [None, "b", None, "c", None]
