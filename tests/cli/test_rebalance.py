"""`roost rebalance spot`: a plan as text and as JSON, a drain over HTTP, and what it says to wrong options."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import typer
from tests.analysis.spot_world import on_demand, plan, pod, spot
from tests.apiserver.serving import Served, served
from typer.testing import CliRunner

from roost.apiserver.resources import DEPLOYMENT, NODE, POD, POD_DISRUPTION_BUDGET
from roost.cli.main import app
from roost.cli.rebalance_spot import settle
from roost.cli.rebalance_view import facts, result_text, text
from roost.errors import ConfigError
from roost.rebalancer.drainer import Drained

SECONDS = 60
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "rebalance-spot.md"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "roost", "rebalance", "spot", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=SECONDS, check=False)


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def cordon(server: Served, name: str, value: bool) -> None:
    server.call(lambda: server.store.modify(NODE, name, lambda node: node["spec"].update(unschedulable=value)))


def places(server: Served) -> list[str]:
    return sorted(str(it.object["spec"].get("nodeName")) for it in server.store.all(POD))


def is_running(server: Served, count: int) -> bool:
    phases = [it.object["status"]["phase"] for it in server.store.all(POD) if "deletionTimestamp" not in it.metadata]
    return phases == ["Running"] * count


@pytest.fixture
def shop() -> Iterator[Served]:
    """Two pods of a Deployment on on-demand nodes, and a spot node, node-3, with room for them."""
    container = {"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": "1"}}}
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    with served(4, lives=True) as server:
        for name in ("node-1", "node-2", "node-3"):
            cordon(server, name, True)
        server.call(lambda: server.store.create(DEPLOYMENT, {"metadata": {"name": "shop"}, "spec": spec}, "default"))
        wait_for(lambda: is_running(server, 2))
        cordon(server, "node-3", False)
        yield server


def test_a_plan_changes_nothing_and_apply_carries_it_out(shop: Served) -> None:
    planned = run("--server", shop.url, "-o", "json")
    assert planned.returncode == 0, planned.stderr
    drain = json.loads(planned.stdout)["drain"]
    assert (drain["node"], [move["to"] for move in drain["moves"]]) == ("node-0", ["node-3", "node-3"])
    assert places(shop) == ["node-0", "node-0"]

    applied = run("--server", shop.url, "--apply")
    assert applied.returncode == 0, applied.stderr
    assert (
        "node-0 (on-demand, 2 of 3.92 CPU requested) can be drained: all 2 pods have a place on spot nodes."
        in applied.stdout
    )
    assert applied.stdout.endswith("node-0 is drained: 2 pods evicted.\n")
    wait_for(lambda: is_running(shop, 2))
    assert places(shop) == ["node-3", "node-3"]
    assert not shop.store.get(NODE, "node-0").object["spec"].get("taints")

    again = run("--server", shop.url, "--apply")
    assert again.returncode == 0
    assert again.stdout == (
        "No on-demand node can be drained now.\n"
        "node-0 is left alone: there is nothing to move.\n"
        "node-1 is left alone: the node is cordoned.\n"
        "node-2 is left alone: the node is cordoned.\n"
    )


def test_a_drain_that_fails_is_one_sentence_and_exit_code_1(shop: Served) -> None:
    """A disruption budget that comes with the mark on the node, after the plan was made."""
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "shop"}}}

    def exhaust() -> None:
        shop.store.create(POD_DISRUPTION_BUDGET, {"metadata": {"name": "shop"}, "spec": spec}, "default")

    process = subprocess.Popen(
        command("--server", shop.url, "--apply", "--pod-eviction-timeout", "1s", "--log-format", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        shop.call(lambda: shop.store.listen(lambda change: exhaust() if is_marked(change) else None))
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "can be drained" in out
    assert "is drained" not in out
    assert err.splitlines()[-1].startswith("roost: node-0 is not drained: default/shop-")
    assert "violate the pod's disruption budget" in err
    assert "Traceback" not in err
    assert places(shop) == ["node-0", "node-0"]
    assert not shop.store.get(NODE, "node-0").object["spec"].get("taints")


def is_marked(change: Any) -> bool:
    item = change.item
    return item.resource is NODE and item.name == "node-0" and bool(item.object["spec"].get("taints"))


def test_rounds_go_on_with_metrics_until_a_signal(shop: Served, unused_tcp_port: int) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    arguments = ["--server", shop.url, "--apply", "--every", "1s", "--listen-address", address, "--leader-elect"]
    with subprocess.Popen(
        command(*arguments, "--namespace", "default"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: places(shop) == ["node-3", "node-3"])
        wait_for(lambda: metric(address, 'spot_rescheduler_node_drain_total{drain_state="Success",node="node-0"}'))
        assert metric(address, 'spot_rescheduler_nodes_count{node_type="spot"}') == 1
        assert metric(address, "spot_rescheduler_evicted_pods_total") == 2
        with urlopen(f"http://{address}/readyz") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert out.count("can be drained") == 1
    assert "got the lease default/roost-rebalance-spot" in err


def metric(address: str, name: str) -> float:
    with urlopen(f"http://{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0.0)


# ---- what is printed


def test_a_plan_as_text() -> None:
    found = plan(
        on_demand("d", cpu="4"), on_demand("e"), spot("s"), spot("t", cpu="2"),
        pod("web", "d", cpu="1"), pod("db", "e", cpu="500m", owner=None), pod("load", "t", cpu="1500m"),
    )  # fmt: skip
    assert text(found, apply=False).splitlines() == [
        "d (on-demand, 1 of 4 CPU requested) can be drained: 1 pod has a place on spot nodes.",
        "",
        "  pod           from   to   why",
        f" {'─' * 61}",
        "  default/web   d      s    the only one of 4 nodes that fits",
        "",
        "e is left alone: default/db has no controller to bring it back; "
        "--delete-non-replicated-pods evicts it all the same.",
        "Nothing is changed; --apply carries it out.",
    ]


def test_a_plan_as_json() -> None:
    found = plan(on_demand("d", cpu="4"), spot("s"), spot("t"), pod("web", "d", cpu="1"))
    told = json.loads(facts(found, Drained("d", 1)))
    (move,) = told["drain"]["moves"]
    assert (move["pod"], move["from"], move["to"], move["feasible"]) == ("default/web", "d", "s", 2)
    assert [one["node"] for one in move["top"]] == ["s", "t"]
    assert move["why"].startswith("score ")
    assert told["nodes"][0] == {"name": "d", "pool": "on-demand", "pods": 1, "cpuRequested": 1.0, "cpu": 4.0}
    assert told["result"] == {"node": "d", "evicted": 1, "problem": None}
    assert (told["held"], told["leftAlone"]) == (None, [])


def test_nothing_to_do_is_said_with_the_reason() -> None:
    assert text(plan(spot("s")), apply=True) == (
        "Nothing is drained: there is no on-demand node; --on-demand-node-label says which label they have."
    )
    told = json.loads(facts(plan(spot("s"))))
    assert told["drain"] is None
    assert told["held"].startswith("there is no on-demand node")


def test_what_came_of_it() -> None:
    assert result_text(Drained("d", 1)) == "d is drained: 1 pod evicted."


# ---- options

DEFAULTS: dict[str, Any] = {
    "apply": False,
    "every": None,
    "spot_node_label": None,
    "on_demand_node_label": None,
    "landing": "best",
    "delete_non_replicated_pods": False,
    "delete_emptydir_data": False,
    "node_drain_delay": "10m",
    "pod_eviction_timeout": "2m",
    "max_graceful_termination": "2m",
    "lease_namespace": "",
    "health_address": None,
    "as_json": False,
}


def test_the_defaults_are_those_of_the_original() -> None:
    settings = settle(**{**DEFAULTS, "every": "10s"})
    assert settings.rhythm is not None
    assert (settings.rhythm.every, settings.rhythm.drain_delay) == (10, 600)
    assert (settings.limits.eviction_timeout, settings.limits.max_grace, settings.limits.retry) == (120, 120, 10)
    assert settle(**DEFAULTS).rhythm is None


@pytest.mark.parametrize(
    ("how", "told"),
    [
        pytest.param(
            {"spot_node_label": "a=b=c"},
            "the spot node label is not correctly formatted: "
            "expected '<label_name>' or '<label_name>=<label_value>', but got a=b=c",
            id="a spot label with two equals signs",
        ),
        pytest.param(
            {"on_demand_node_label": "=b"},
            "the on demand node label is not correctly formatted: "
            "expected '<label_name>' or '<label_name>=<label_value>', but got =b",
            id="an on-demand label without a name",
        ),
        pytest.param({"every": "10"}, "--every: '10' is not a duration such as 15s or 1m30s", id="no duration"),
        pytest.param({"every": "1ms"}, "--every: must be 1s or more, not 1ms", id="too often"),
        pytest.param(
            {"pod_eviction_timeout": "soon"},
            "--pod-eviction-timeout: 'soon' is not a duration such as 15s or 1m30s",
            id="another duration that is none",
        ),
        pytest.param(
            {"lease_namespace": "x"},
            "--leader-elect: is for a process that stays; give --every as well",
            id="a lease once",
        ),
        pytest.param(
            {"health_address": "here"},
            "--health-address: address 'here': write a host and a port such as 127.0.0.1:10259, or :10259",
            id="no address",
        ),
    ],
)
def test_a_wrong_option_is_one_sentence(how: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        settle(**{**DEFAULTS, **how})
    assert str(error.value) == told


def test_the_help_names_the_flags_of_the_original() -> None:
    shown = CliRunner().invoke(app, ["rebalance", "spot", "--help"]).output
    for flag in (
        "--housekeeping-interval", "--node-drain-delay", "--pod-eviction-timeout", "--max-graceful-termination",
        "--listen-address", "--on-demand-node-label", "--spot-node-label", "--delete-non-replicated-pods",
        "--namespace",
    ):  # fmt: skip
        assert flag in shown


def test_every_option_is_described() -> None:
    group = typer.main.get_command(app)
    declared = {name for one in group.commands["rebalance"].commands["spot"].params for name in one.opts}  # type: ignore[attr-defined]
    page = HOW_TO.read_text()
    assert [option for option in sorted(declared) if f"`{option}" not in page] == []
    known = declared | {"--dry-run", "--no-leader-elect", "--running-in-cluster", "--kube-api-content-type"}
    assert set(re.findall(r"(?<=`)--[a-z-]+", page)) <= known


def test_a_wrong_label_ends_the_command_with_exit_code_2() -> None:
    done = run("--spot-node-label", "a=b=c")
    assert done.returncode == 2
    assert done.stderr.startswith("roost: the spot node label is not correctly formatted: ")
