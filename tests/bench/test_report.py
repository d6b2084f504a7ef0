import json

import pytest

from roost.bench.report import as_json, as_text, facts, ratios
from roost.bench.result import (
    SCHEDULER,
    Clocks,
    Comparison,
    Deciding,
    Placement,
    Process,
    Result,
    summary,
)


def run(
    scheduler: str = "roost", *, rate: float = 100.0, cpu_ms: float = 0.2, count: int = 401, **fields: object
) -> Result:
    times = tuple(n / rate for n in range(count))
    made: dict[str, object] = {
        "target": "control-plane",
        "clocks": Clocks(first_to_last_bind=times[-1], start_to_first_bind=0.5),
        "processes": (
            Process(
                name=SCHEDULER,
                cpu_seconds=cpu_ms * count / 1e3,
                cpu_ms_per_pod=cpu_ms,
                counted="in sync",
                peak_rss_mib=90,
            ),
        ),
        "placement": Placement(pods=count, nodes_used=5),
        "bind_times": times,
        **fields,
    }
    return Result(scheduler=scheduler, workload="Basic", size="5Nodes", nodes=5, measured=count, **made)  # type: ignore[arg-type]


ON_CORE = run(
    target="core",
    deciding=Deciding(decisions=410, rejected=9, preempting=0, microseconds=20.0, microseconds_with_queue=25.0),
    spin_ms=9.3,
)


def line(text: str, label: str) -> str:
    return next(one for one in text.splitlines() if one.startswith(label))


def test_one_run_is_a_column_of_figures() -> None:
    text = as_text([Comparison(ours=(run(),))])
    assert "Basic/5Nodes on control-plane, precreate: 5 nodes, 401 measured pods\n" in text
    assert line(text, "pods/s, first to last bind").split()[-1] == "100"
    assert line(text, "CPU ms per pod, scheduler").split()[-1] == "0.20"
    assert "CPU of roost is counted from in sync." in text


def test_what_was_not_measured_has_no_row() -> None:
    text = as_text([Comparison(ours=(run(),))])
    assert "last event" not in text
    assert "latency" not in text


def test_several_runs_are_told_by_median_and_spread() -> None:
    text = as_text([Comparison(ours=tuple(run(rate=rate) for rate in (90.0, 120.0, 100.0)))])
    assert line(text, "pods/s, first to last bind").endswith("100 (90–120)")
    assert "median (and spread) of 3 runs\n" in text


def test_two_schedulers_stand_side_by_side_with_the_ratios_of_runs_that_belong_together() -> None:
    ours = (run(rate=200.0), run(rate=300.0))
    theirs = tuple(run("kube-scheduler", rate=100.0, cpu_ms=1.6) for _ in range(2))
    text = as_text([Comparison(ours=ours, theirs=theirs)])
    assert "of 2 runs in turn" in text
    assert line(text, "pods/s, first to last bind").endswith("2.50 (2.00–3.00)")
    assert line(text, "CPU ms per pod, scheduler").endswith("0.12 (0.12–0.12)")
    assert line(text, "nodes used").endswith("5 (5–5)")


def test_what_one_of_two_did_not_measure_is_a_dash() -> None:
    theirs = run("kube-scheduler", clocks=Clocks(first_to_last_bind=4.0))
    text = as_text([Comparison(ours=(run(),), theirs=(theirs,))])
    assert line(text, "s, start to first bind").split()[-3:] == ["0.50", "–", "–"]


def test_runs_on_the_core_share_a_table_of_a_line_each() -> None:
    text = as_text([Comparison(ours=(ON_CORE,)), Comparison(ours=(ON_CORE,))])
    rows = [one.split() for one in text.splitlines() if one.startswith("Basic/5Nodes ")]
    assert rows == [["Basic/5Nodes", "5", "401", "50,000", "20.0", "25.0", "9.3"]] * 2
    assert text.count("410 decisions, 9 rejected, 0 preempting.") == 1


def test_pods_without_a_node_are_not_passed_over() -> None:
    lost = run(placement=Placement(pods=401, unbound=2, over_capacity=("node-1",)))
    text = as_text([Comparison(ours=(lost,))])
    assert "roost: 2 of 401 pods have no node; 1 nodes hold more than they can: node-1!" in text


def test_json_has_the_runs_their_medians_and_the_ratios() -> None:
    ours, theirs = (run(rate=200.0), run(rate=300.0)), (run("kube-scheduler"), run("kube-scheduler"))
    found = json.loads(as_json([Comparison(ours=ours, theirs=theirs)]))["workloads"][0]
    mine, other = found["schedulers"]
    assert (mine["scheduler"], other["scheduler"]) == ("roost", "kube-scheduler")
    assert mine["figures"]["podsPerSecond.toLastBind"]["median"] == pytest.approx(250.0)
    assert found["ratios"]["podsPerSecond.toLastBind"]["maximum"] == pytest.approx(3.0)
    assert "nodesUsed" not in found["ratios"]
    assert len(mine["runs"][0]["bindTimes"]) == 401
    assert other["runs"][0]["throughput"]["p50"] == pytest.approx(100.0)
    assert mine["runs"][0]["clocks"]["firstBindToLastEvent"] is None


def test_lists_of_numbers_stand_in_one_line_of_json() -> None:
    assert len(as_json([Comparison(ours=(run(),))]).splitlines()) < 150


def test_facts_of_the_core_are_those_of_the_core() -> None:
    (side,) = facts(Comparison(ours=(ON_CORE,)))["schedulers"]
    assert side["figures"]["decisionsPerSecond"]["median"] == pytest.approx(50_000)
    assert "podsPerSecond.toLastBind" not in side["figures"]


def test_a_figure_that_a_run_lacks_has_no_summary_and_no_ratio() -> None:
    assert summary([1.0, None]) is None
    assert ratios([1.0, None, 4.0], [0.0, 2.0, 2.0]) == [None, None, 2.0]
