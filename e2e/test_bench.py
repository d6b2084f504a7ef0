"""`roost bench` on a control plane of its own, against the stock kube-scheduler: small runs, no throughput."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import roost_command

NODES, PODS = 50, 200
SECONDS = 240


def bench(assets: Path, *arguments: str) -> Any:
    """Run the command; return what it reports of its one workload."""
    command = [*roost_command(), "bench", "SchedulingBasic", "--on", "control-plane", "--assets", str(assets)]
    size = f"nodes={NODES},initPods=10,measurePods={PODS}"
    done = subprocess.run(
        [*command, "--size", size, "-o", "json", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["workloads"]
    return told


def test_both_schedulers_bind_all_pods_and_what_they_took_is_reported(assets: Path) -> None:
    if not (assets / "kube-scheduler").exists():
        pytest.skip(f"kube-scheduler missing in {assets}")
    told = bench(assets, "--against", "kube-scheduler")
    assert [one["scheduler"] for one in told["schedulers"]] == ["roost", "kube-scheduler"]
    assert told["ratios"]["podsPerSecond.toLastEvent"]["runs"] == 1
    for scheduler in told["schedulers"]:
        (run,) = scheduler["runs"]
        assert_all_is_told(run)
        assert run["clocks"]["startToLastEvent"] >= run["clocks"]["startToLastBind"] > 0
    roost, stock = (scheduler["runs"][0] for scheduler in told["schedulers"])
    assert roost["clocks"]["startToInSync"] > 0
    assert scheduler_of(roost)["counted"] == "in sync"
    assert scheduler_of(stock)["counted"] == "its start"
    assert scheduler_of(stock)["startupCpuSeconds"] > 0


def test_a_steady_stream_deletes_old_pods_to_make_room(assets: Path) -> None:
    told = bench(assets, "--size", "nodes=10,initPods=0", "--rate", "30", "--seconds", "12")
    (run,) = told["schedulers"][0]["runs"]
    assert run["measured"] == len(run["bindTimes"]) == len(run["eventTimes"]) == 360
    assert (run["placement"]["unbound"], run["placement"]["overCapacity"]) == (0, [])
    assert run["placement"]["pods"] < 360
    assert any("deleted" in note for note in run["notes"])
    assert run["latencies"]["p50"] > 0


def assert_all_is_told(run: Any) -> None:
    assert run["measured"] == len(run["bindTimes"]) == len(run["eventTimes"]) == PODS
    assert run["placement"]["pods"] == PODS + 10
    assert (run["placement"]["unbound"], run["placement"]["overCapacity"]) == (0, [])
    assert run["eventBacklog"]["count"] == PODS
    processes = {process["name"]: process for process in run["processes"]}
    assert set(processes) == {"scheduler", "kube-apiserver", "etcd", "load"}
    for process in processes.values():
        assert process["cpuSeconds"] > 0
        assert process["peakRssMib"] > 10
    assert run["spinMs"] > 0


def scheduler_of(run: Any) -> Any:
    (found,) = [process for process in run["processes"] if process["name"] == "scheduler"]
    return found
