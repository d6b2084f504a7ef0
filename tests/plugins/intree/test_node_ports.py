from collections.abc import Callable, Mapping
from typing import Any

import pytest

from roost.framework.status import Code, Status
from roost.plugins.intree.node_ports import NodePorts
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
Port = tuple[int, str, str]
"""Host port, host IP and protocol."""


def using(name: str, *ports: Port, on: str = "", init: dict[str, Any] | None = None):
    listed = [
        {"containerPort": 80, "hostPort": port, "hostIP": ip, "protocol": protocol} for port, ip, protocol in ports
    ]
    container = {"name": "app", "ports": listed}
    if init is None:
        return pod(name, node_name=on, spec={"containers": [container]})
    return pod(name, node_name=on, spec={"containers": [{"name": "main"}], "initContainers": [container | init]})


def taken(judge: Judge, wanted: Any, used: Any) -> bool:
    return "busy" in judge(NodePorts(), wanted, [node("busy"), node("idle")], [used])


@pytest.mark.parametrize(
    ("wanted", "used", "conflict"),
    [
        pytest.param((80, "", "TCP"), (80, "", "TCP"), True, id="the same port"),
        pytest.param((80, "", "TCP"), (81, "", "TCP"), False, id="another port"),
        pytest.param((80, "", "UDP"), (80, "", "TCP"), False, id="another protocol"),
        pytest.param((80, "", "SCTP"), (80, "", "SCTP"), True, id="SCTP is a protocol like the others"),
        pytest.param((80, "", ""), (80, "", "TCP"), True, id="no protocol means TCP"),
        pytest.param((80, "10.0.0.1", "TCP"), (80, "10.0.0.2", "TCP"), False, id="another address"),
        pytest.param((80, "10.0.0.1", "TCP"), (80, "10.0.0.1", "TCP"), True, id="the same address"),
        pytest.param((80, "10.0.0.1", "TCP"), (80, "", "TCP"), True, id="a pod there holds all addresses"),
        pytest.param((80, "10.0.0.1", "TCP"), (80, "0.0.0.0", "TCP"), True, id="a pod there says 0.0.0.0"),
        pytest.param((80, "", "TCP"), (80, "10.0.0.1", "TCP"), True, id="the pod wants all addresses"),
        pytest.param((80, "0.0.0.0", "TCP"), (80, "fd00::1", "TCP"), True, id="0.0.0.0 includes IPv6 addresses"),
        pytest.param((80, "::", "TCP"), (80, "10.0.0.1", "TCP"), False, id=":: is an address like any other"),
        pytest.param((80, "::", "TCP"), (80, "", "TCP"), True, id=":: conflicts with all addresses"),
        pytest.param((0, "", "TCP"), (0, "", "TCP"), False, id="port 0 is no host port"),
    ],
)
def test_ports(judge: Judge, wanted: Port, used: Port, conflict: bool) -> None:
    assert taken(judge, using("new", wanted), using("old", used, on="busy")) is conflict


def test_one_conflict_of_several_ports_is_enough(judge: Judge) -> None:
    wanted = using("new", (79, "", "TCP"), (80, "", "TCP"), (81, "", "TCP"))
    assert taken(judge, wanted, using("old", (81, "", "TCP"), on="busy"))


def test_ports_of_init_containers_do_not_count(judge: Judge) -> None:
    assert not taken(judge, using("new", (80, "", "TCP")), using("old", (80, "", "TCP"), on="busy", init={}))


@pytest.mark.parametrize("sidecar", ["wanted", "used"])
def test_ports_of_sidecars_count(judge: Judge, sidecar: str) -> None:
    always = {"restartPolicy": "Always"}
    wanted = using("new", (80, "", "TCP"), init=always if sidecar == "wanted" else None)
    used = using("old", (80, "", "TCP"), on="busy", init=always if sidecar == "used" else None)
    assert taken(judge, wanted, used)


def test_the_reason_is_kube_scheduler_s_and_evicting_could_help(judge: Judge) -> None:
    status = judge(
        NodePorts(), using("new", (80, "", "TCP")), [node("busy")], [using("old", (80, "", "TCP"), on="busy")]
    )
    assert status["busy"].code is Code.Unschedulable
    assert status["busy"].message == "node(s) didn't have free ports for the requested pod ports"


def test_the_same_port_is_free_on_another_node(judge: Judge) -> None:
    old = [using("old", (80, "", "TCP"), on="busy")]
    assert judge(NodePorts(), using("new", (80, "", "TCP")), [node("busy"), node("idle")], old).keys() == {"busy"}
