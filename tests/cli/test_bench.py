"""`roost bench`: what it says to wrong options, what it lists, and small runs on core and embedded cluster."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from roost.bench.schedulers import roost as roost_as
from roost.cli.bench_run import numbers, turns
from roost.cli.main import app
from roost.errors import ConfigError

SMALL = "SchedulingBasic --size nodes=5,initPods=3,measurePods=12"


def bench(arguments: str) -> str:
    """Run the command in this process; return what it prints."""
    done = CliRunner().invoke(app, shlex.split(f"bench {arguments}"), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rest less: these are no measurements."""
    monkeypatch.setattr("roost.bench.quiet.WINDOW", 0.02)
    monkeypatch.setattr("roost.bench.quiet.RESTING", 9.0)
    monkeypatch.setattr("roost.bench.run.SETTLE", 0.02)
    monkeypatch.setattr("roost.bench.rounds.WARMING", 5)


# ---- what is wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "name a workload, such as SchedulingBasic; roost bench --list shows them"),
        ("SchedulingBasics", "no workload is called SchedulingBasics; did you mean SchedulingBasic"),
        ("SchedulingBasic/7Nodes", "SchedulingBasic has no size 7Nodes"),
        ("SchedulingBasic --size nodes", "--size: 'nodes' is not NAME=NUMBER, as in nodes=1000,measurePods=2000"),
        ("SchedulingBasic --size nodes=-1", "--size: 'nodes=-1' is not NAME=NUMBER"),
        ("SchedulingBasic --size pods=3", "pods: SchedulingBasic has no such number"),
        ("SchedulingBasic --kubeconfig x", "say --yes if that is meant"),
        ("SchedulingBasic --kubeconfig x --on embedded --yes", "--kubeconfig and --on exclude each other"),
        ("SchedulingBasic --on core --against kube-scheduler", "--against needs a cluster"),
        ("SchedulingBasic --on core --mode stream", "--mode and --rate need a cluster"),
        ("SchedulingBasic --rate 10 --mode precreate", "--rate: pods come steadily; leave --mode precreate out"),
        ("SchedulingBasic --against-binary x", "--against-binary: say with --against which scheduler that is"),
        ("SchedulingBasic --against-percentage 100", "--against-percentage needs --against kube-scheduler"),
        ("SchedulingBasic --against roost", "--against roost: name the other installation's roost"),
        ("SchedulingBasic --against kube-scheduler --against-binary /x/y", "--against-binary: there is no file /x/y"),
        ("SchedulingBasic/5Nodes --rate 500", "--rate: 500 pods per second are too many for nodes that hold 200"),
        ("SchedulingBasic --plot x.pdf", "--plot: x.pdf must end in .svg or .png"),
        ("SchedulingBasic --on control-plane --assets /nowhere", "--assets: there is no etcd and no kube-apiserver in"),
        ("SchedulingOwnedPods", "the embedded cluster's controllers would interfere; use --on control-plane"),
        ("SchedulingOwnedPods --kubeconfig x --yes", "a whole cluster's controllers would interfere"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_names_it(arguments: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        bench(arguments)
    assert sentence in str(wrong.value)
    assert wrong.value.exit_code == 2


def test_a_kubeconfig_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="cannot read the kubeconfig /nowhere"):
        bench("SchedulingBasic --kubeconfig /nowhere --yes")


def test_numbers_are_read() -> None:
    assert numbers("nodes=10, measurePods=5,") == {"nodes": 10, "measurePods": 5}


def test_who_begins_changes_each_time() -> None:
    assert list(turns(2, 3)) == [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (2, 1)]
    assert list(turns(1, 2)) == [(0, 0), (1, 0)]


# ---- what it prints


def test_the_list_has_each_workload_with_its_sizes() -> None:
    listed = bench("--list").splitlines()
    at = listed.index("SchedulingBasic: Pods that ask for CPU and memory, nothing else.")
    assert listed[at + 2] == "  SchedulingBasic/500Nodes (usual): nodes=500, initPods=500, measurePods=1000"


def test_the_core_alone_is_measured_as_often_as_asked() -> None:
    (told,) = json.loads(bench(f"{SMALL} --on core --runs 2 -o json"))["workloads"]
    (ours,) = told["schedulers"]
    assert (told["target"], ours["scheduler"], len(ours["runs"])) == ("core", "roost", 2)


@pytest.mark.usefixtures("_hurry")
def test_two_schedulers_take_turns_on_the_embedded_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The other one is this very installation under another name: what is tested is the taking of turns.
    monkeypatch.setattr("roost.cli.bench_run.roost", lambda binary=None, name="roost": roost_as(name=name))
    small = "SchedulingBasic --size nodes=5,initPods=0,measurePods=12"
    told = run(f"{small} --against roost --against-binary x --logs {tmp_path}")
    assert [one["scheduler"] for one in told["schedulers"]] == ["roost", "other roost"]
    for scheduler in told["schedulers"]:
        for one in scheduler["runs"]:
            assert_complete(one, measured=12, in_all=12)
            assert one["clocks"]["startToLastEvent"] > one["clocks"]["startToLastBind"] > 0
    (folder,) = tmp_path.iterdir()
    logs = sorted(path.name for path in folder.glob("*roost-*.log"))
    assert logs == ["other roost-2.log", "roost-1.log"]


@pytest.mark.usefixtures("_hurry")
def test_a_stream_is_measured_from_the_creation_of_each_pod() -> None:
    (ours,) = run(f"{SMALL} --mode stream")["schedulers"]
    (one,) = ours["runs"]
    assert_complete(one, measured=12, in_all=16)  # one more was there to warm up
    assert "startToLastBind" not in one["clocks"] or one["clocks"]["startToLastBind"] is None
    assert 0 < one["latencies"]["p50"] < 5


@pytest.mark.usefixtures("_hurry")
def test_a_steady_stream_creates_so_many_pods_per_second() -> None:
    (ours,) = run(f"{SMALL} --rate 20 --seconds 1")["schedulers"]
    (one,) = ours["runs"]
    assert_complete(one, measured=20, in_all=24)
    assert one["bindTimes"][-1] > 0.7


def run(arguments: str) -> Any:
    (told,) = json.loads(bench(f"{arguments} --on embedded -o json"))["workloads"]
    return told


def assert_complete(one: dict[str, Any], *, measured: int, in_all: int) -> None:
    """Assert that all pods were bound, told of, and are where they fit."""
    assert one["measured"] == len(one["bindTimes"]) == len(one["eventTimes"]) == measured
    assert one["placement"] | {"nodesUsed": 5} == {
        "pods": in_all,
        "unbound": 0,
        "nodesUsed": 5,
        "overCapacity": [],
    }
    assert one["eventBacklog"]["count"] == one["latencies"]["count"] == measured
    assert {process["name"] for process in one["processes"]} == {"scheduler", "embedded cluster", "load"}
