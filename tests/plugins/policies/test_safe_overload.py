import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert

import roost
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.arguments import make_plugin
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.measure import USAGE_AT
from roost.framework.overload_risk import overload_risk
from roost.framework.plugin import Context, Plugin, Surroundings
from roost.framework.profile import Profile, Scorer
from roost.framework.status import Code, Status
from roost.plugins.policies.safe_balance import SafeBalance, SafeBalanceArgs
from roost.plugins.policies.safe_overload import SafeOverload, SafeOverloadArgs, explain, risk_table
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
Rate = Callable[..., dict[str, int]]

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "safe_server.json").read_text())
RECORDED = [pytest.param(row, id=f"{row['env']}: {row['pod']}") for row in GOLDEN["results"]]
NAMES = [one["metadata"]["name"] for one in GOLDEN["nodes"]]
OVERFLOW = -(2**63)
GI = 2**30

CPU_REASON = "node(s) would exceed 90 percent cpu utilization with probability above 0.30"
MEMORY_REASON = "node(s) would exceed 90 percent memory utilization with probability above 0.30"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAFEUTILIZATION", "SAFEPERCENTILE", "SAFEFORECASTWEIGHT", "SAFEPRINTTABLE"):
        monkeypatch.delenv(name, raising=False)


def measured(
    name: str, cpu: tuple[float, float] | None, memory: tuple[float, float] | None = None, **more: str
) -> Node:
    """A node of 4 CPUs and 8Gi with (mean, deviation) of what is free: milli-cores, Gi."""
    texts = dict(more)
    for resource, free, unit in (("cpu", cpu, 1), ("memory", memory, GI)):
        if free is not None:
            texts |= {f"mean-free-{resource}": f"{free[0] * unit}", f"std-free-{resource}": f"{free[1] * unit}"}
    return node(name, cpu="4", memory="8Gi", annotations=texts)


SMALL = pod(cpu="200m", memory="200Mi")
IDLE = measured("idle", (3600, 100), (7, 0.1))
MID = measured("mid", (2000, 400), (4, 0.5))
BUSY = measured("busy", (600, 300), (1, 0.25))
NONE = node("none", cpu="4", memory="8Gi")


# ---- the numbers of the original


@lru_cache(maxsize=1)
def recorded_cluster() -> Cache:
    cache = Cache()
    for one in GOLDEN["nodes"]:
        cache.set_node(convert(one, Node))
    return cache


def policies_of(env: str, **args: Any) -> tuple[SafeOverload, SafeBalance]:
    """Both policies with the variables of a recorded environment turned into arguments."""
    around = Surroundings(GOLDEN["envs"][env], lambda name: None, lambda warning: None)
    overload = {**SafeOverload.defaults(around, {}), "scale": "extender", **args}
    balance = {**SafeBalance.defaults(around, {}), "scale": "extender", **args}
    return SafeOverload(convert(overload, SafeOverloadArgs)), SafeBalance(convert(balance, SafeBalanceArgs))


def recorded_answers(row: Mapping[str, Any], **args: Any) -> tuple[set[str], dict[str, int], dict[str, int]]:
    """Return the nodes that pass, and the raw scores of all nodes."""
    overload, balance = policies_of(row["env"], **args)
    cache = recorded_cluster()
    info = cache.pod_info(convert(GOLDEN["pods"][row["pod"]], Pod))

    def decided(profile: Profile) -> Decision:
        return Cycle(profile).decide(info, cache.view, Context())

    verdicts = decided(Profile.of([overload])).freeze().verdicts
    scores = decided(Profile(score=(Scorer(overload, 1), Scorer(balance, 1)))).freeze().scores
    return (
        {name for name in NAMES if verdicts[name].feasible},
        {name: scores[name].raw["SafeOverload"] for name in NAMES},
        {name: scores[name].raw["SafeBalance"] for name in NAMES},
    )


@pytest.mark.parametrize("row", RECORDED)
def test_s1_what_the_original_answered_is_reproduced(row: Mapping[str, Any]) -> None:
    """Where it overflowed, the score is 0."""
    passed, overload, balance = recorded_answers(row, compat="original")
    assert passed == set(row["filter_passed"])
    assert overload == {name: max(score, 0) for name, score in row["safe_overload"].items()}
    assert balance == {name: max(score, 0) for name, score in row["safe_balance"].items()}


UNMONITORED = {"no-annotations", "empty-annotations", "mean-nan", "mean-inf", "mean-suffix", "mean-none"}
UNMONITORED |= {"forecast-only"}
EMPTY = {"zero-capacity", "zero-capacity-std", "no-allocatable"}


def why_it_differs(row: Mapping[str, Any], name: str) -> str:
    """Return why ours differs for a node, if it does: all the kinds of difference among the recorded answers."""
    asks_nothing = row["pod"] in ("no-requests", "limits-only")
    if name in UNMONITORED:
        return "unmonitored: scores as the others do"
    if name in EMPTY and asks_nothing:
        return "no capacity and no demand: nothing is known"
    if name == "zero-capacity":
        return "no capacity for a demand: the risk is 1"
    if name == "std-nan":
        return "a spread of NaN is none"
    if name == "tiny-sigma-above-threshold" and row["detail"][name]["cpu"]["mu"] != "1":
        return "so narrow that alpha is infinite: a step"
    if name == "free-more-than-capacity" and (row["pod"], row["safe_overload"][name]) == ("sub-milli", 0):
        return "more spread than the mean allows: the risk is the mean" if row["env"] != "zero-percentile" else ""
    if name == "mem-only-idle" and (row["env"], row["pod"]) == ("strict", "big-2cpu-4Gi"):
        return "so narrow that the prefactor underflows: a risk of 3e-10 is not 0"
    if row["safe_overload"][name] == OVERFLOW:
        return "no risk where none is taken: the highest score"
    return ""


def test_s1_by_default_the_answers_are_the_same_except_where_the_original_is_wrong() -> None:
    kinds: Counter[str] = Counter()
    for row in GOLDEN["results"]:
        passed, overload, balance = recorded_answers(row)
        for name in NAMES:
            was = (name in row["filter_passed"], row["safe_overload"][name], row["safe_balance"][name])
            differs = was != (name in passed, overload[name], balance[name])
            why = why_it_differs(row, name)
            assert differs == bool(why), (row["env"], row["pod"], name)
            kinds[why] += 1
    assert len(kinds) == 1 + 8
    assert kinds[""] == 1089


def test_s1_no_answer_is_beyond_the_scale() -> None:
    for row in GOLDEN["results"]:
        _, overload, balance = recorded_answers(row)
        assert all(-1 <= score <= 10 for scores in (overload, balance) for score in scores.values())


# ---- filter and score


def test_the_documented_examples(rate: Rate, judge: Judge) -> None:
    forecast = {"forcasted-free-cpu": "3000", "forcasted-free-memory": f"{6 * GI}"}
    idler = measured("idler", (9000, 100), (20, 1))
    nodes = [IDLE, MID, BUSY, measured("rising", (600, 300), (1, 0.25), **forecast), idler]
    extender = SafeOverload(SafeOverloadArgs(scale="extender"))
    assert rate(extender, SMALL, nodes) == {"idle": 10, "mid": 9, "busy": 0, "rising": 6, "idler": 8}
    assert rate(SafeOverload(), SMALL, nodes) == {"idle": 100, "mid": 99, "busy": 0, "rising": 65, "idler": 83}
    assert judge(SafeOverload(), SMALL, nodes).keys() == {"busy"}


@pytest.mark.parametrize(
    ("cpu", "memory", "reasons"),
    [
        pytest.param((600, 300), (7, 0.1), (CPU_REASON,), id="too much CPU"),
        pytest.param((3600, 100), (0.5, 0.1), (MEMORY_REASON,), id="too much memory"),
        pytest.param((600, 300), (0.5, 0.1), (CPU_REASON, MEMORY_REASON), id="both"),
    ],
)
def test_s9_the_reason_names_the_resource_the_risk_and_the_limit(
    judge: Judge, cpu: tuple[float, float], memory: tuple[float, float], reasons: tuple[str, ...]
) -> None:
    status = judge(SafeOverload(), SMALL, [measured("n", cpu, memory)])["n"]
    assert (status.code, status.reasons) == (Code.UnschedulableAndUnresolvable, reasons)


def test_s9_nodes_are_counted_by_reason() -> None:
    nodes = [measured(f"n{i}", (600 + i, 300), (1 + i, 0.25)) for i in range(3)]
    decision = roost.decide(SMALL, nodes, policy="SafeOverload")
    assert decision.message.startswith(f"0/3 nodes are available: 1 {MEMORY_REASON}, 3 {CPU_REASON}.")


def test_s9_the_reason_has_the_numbers_that_were_given(judge: Judge) -> None:
    strict = SafeOverload(SafeOverloadArgs(utilization=70, percentile=5))
    reasons = judge(strict, SMALL, [measured("n", (600, 300))])["n"].reasons
    assert reasons == ("node(s) would exceed 70 percent cpu utilization with probability above 0.05",)


def test_s3_an_unmonitored_node_passes_and_scores_the_mean_of_the_others(weigh: Rate, judge: Judge) -> None:
    nodes = [IDLE, measured("rising", (600, 300), None, **{"forcasted-free-cpu": "3000"}), NONE]
    assert judge(SafeOverload(), SMALL, nodes) == {}
    assert weigh(SafeOverload(), SMALL, nodes) == {"idle": 100, "rising": 65, "none": 83}


def test_s3_nodes_that_do_not_fit_are_not_in_the_mean() -> None:
    scores = roost.decide(SMALL, [IDLE, BUSY, NONE], policy="SafeOverload").freeze().scores
    assert {name: row.total for name, row in scores.items()} == {"idle": 100, "none": 100}


def test_s3_where_nothing_is_known_of_any_node_all_have_the_middle(weigh: Rate) -> None:
    assert weigh(SafeOverload(), SMALL, [NONE, node("other")]) == {"none": 50, "other": 50}


def test_s3_to_the_original_an_unmonitored_node_is_the_worst(weigh: Rate, judge: Judge) -> None:
    original = SafeOverload(SafeOverloadArgs(compat="original"))
    assert judge(original, SMALL, [NONE]) == {}
    assert weigh(original, SMALL, [IDLE, NONE]) == {"idle": 100, "none": 0}


def test_what_was_measured_too_long_ago_counts_as_unmonitored() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([SafeOverload()]))
    cache.set_node(measured("busy", (600, 300), **{USAGE_AT: "1000"}))
    found = []
    for stale_before in (500.0, 1500.0):
        cache.view.age(stale_before)
        found.append(cycle.decide(cache.pod_info(SMALL), cache.view, Context()).node)
    assert found == [None, "busy"]


@pytest.mark.parametrize(("known", "busy"), [((3600, 100), False), ((600, 300), True)], ids=["idle", "busy"])
def test_s7_one_resource_decides_where_only_one_is_known(
    rate: Rate, judge: Judge, known: tuple[float, float], busy: bool
) -> None:
    gigabytes = (known[0] / 500, known[1] / 500)
    cpu, memory = measured("cpu", known), measured("memory", None, gigabytes)
    scores = rate(SafeOverload(), pod(), [cpu, memory, measured("both", known, gigabytes)])
    assert scores["both"] == min(scores["cpu"], scores["memory"])
    busy_pod = pod(cpu="200m", memory="400Mi")
    assert judge(SafeOverload(), busy_pod, [cpu, memory]).keys() == ({"cpu", "memory"} if busy else set())


@pytest.mark.parametrize(
    ("free", "passes", "score"),
    [
        pytest.param((3600, 100), True, 100, id="no risk"),
        pytest.param((2000, 400), False, 0, id="a risk of 7e-6"),
    ],
)
def test_without_any_risk_to_take(
    rate: Rate, judge: Judge, free: tuple[float, float], passes: bool, score: int
) -> None:
    careful = SafeOverload(SafeOverloadArgs(percentile=0))
    assert (judge(careful, SMALL, [measured("n", free)]) == {}) == passes
    assert rate(careful, SMALL, [measured("n", free)]) == {"n": score}


def test_s6_an_init_container_larger_than_the_sum_is_the_demand(judge: Judge) -> None:
    init = [{"name": "i", "resources": {"requests": {"cpu": "2"}}}]
    large = pod(cpu="100m", spec={"initContainers": init})
    assert judge(SafeOverload(), pod(cpu="100m"), [MID]) == {}
    assert judge(SafeOverload(), large, [MID])["mid"].reasons == (CPU_REASON,)


def test_the_numbers_of_the_webhook_count_ten_times_here(weigh: Rate) -> None:
    extender = SafeOverload(SafeOverloadArgs(scale="extender"))
    assert weigh(extender, SMALL, [MID, IDLE]) == {"mid": 90, "idle": 100}


# ---- arguments


def made(**args: Any) -> SafeOverload:
    plugin = make_plugin("SafeOverload", SafeOverload, ("args", args))
    assert isinstance(plugin, SafeOverload)
    return plugin


def test_s4_unusable_variables_leave_the_defaults(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (("SAFEUTILIZATION", "101"), ("SAFEPERCENTILE", "abc"), ("SAFEFORECASTWEIGHT", "-1")):
        monkeypatch.setenv(name, text)
    assert made().args == SafeOverloadArgs()
    assert [record.getMessage() for record in caplog.records] == [
        "SAFEUTILIZATION: must be a whole number from 0 to 100, not '101'; 90 is used",
        "SAFEPERCENTILE: must be a whole number from 0 to 100, not 'abc'; 30 is used",
        "SAFEFORECASTWEIGHT: must be a whole number from 0 to 100, not '-1'; 20 is used",
    ]


def test_s5_variables_may_be_0_and_100(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("SAFEUTILIZATION", "100"), ("SAFEPERCENTILE", "0"), ("SAFEFORECASTWEIGHT", "100")):
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("SAFEPRINTTABLE", "true")
    expected = SafeOverloadArgs(utilization=100, percentile=0, forecast_weight=100, print_table=True)
    assert made().args == expected
    assert made(percentile=5, printTable=False).args.percentile == 5


@pytest.mark.parametrize("text", ["false", "True", "1", ""])
def test_the_table_is_wanted_for_true_only(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SAFEPRINTTABLE", text)
    assert made().args.print_table is False


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"utilization": 101}, r"utilization: must be a whole number from 0 to 100, not 101"),
        ({"percentile": -1}, r"percentile: must be a whole number from 0 to 100, not -1"),
        ({"forecastWeight": 200}, r"forecastWeight: must be a whole number from 0 to 100, not 200"),
        ({"utilization": "90"}, r"utilization: "),
        ({"printTable": 1}, r"printTable: "),
        ({"percent": 1}, r"percent: unknown field; did you mean percentile"),
    ],
)
def test_wrong_arguments_are_refused_with_the_field_and_what_to_do(args: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pluginConfig\[0\]\.args\.{sentence}"):
        profile_from_fragment(
            {
                "plugins": {"score": {"enabled": [{"name": "SafeOverload"}]}},
                "pluginConfig": [{"name": "SafeOverload", "args": args}],
            }
        )


# ---- what it says of one node


def explained(name: str, **args: Any) -> list[str]:
    cache = Cache()
    for there in (IDLE, BUSY, NONE):
        cache.set_node(there)
    return explain(SafeOverload(SafeOverloadArgs(**args)), cache.pod_info(SMALL), cache.view, name).splitlines()


def test_a_verdict_is_explained() -> None:
    assert explained("busy") == [
        f"SafeOverload: pod default/pod on node busy: {CPU_REASON}, {MEMORY_REASON}",
        "cpu: mean 0.9000, standard deviation 0.0750, alpha 13.5, beta 1.5; risk of more than 90% is 0.592085, score 0",
        "memory: mean 0.8994, standard deviation 0.0312, alpha 82.422, beta 9.21766; "
        "risk of more than 90% is 0.529572, score 0",
    ]
    assert explained("none") == [
        "SafeOverload: pod default/pod on node none: fits",
        "cpu: nothing is known",
        "memory: nothing is known",
    ]
    with pytest.raises(KeyError, match="nobody"):
        explained("nobody")


def test_a_table_of_the_distribution_is_added_if_wanted() -> None:
    lines = explained("busy", print_table=True, compat="original")
    assert len(lines) == 3 + 2 * (1 + 21)
    assert lines[2].split() == ["x", "density", "P<=x", "excess"]
    assert [float(number) for number in lines[2 + 19].split()] == [0.9, 4.873, 0.4079, 0.04938]


def test_the_table_has_the_numbers_of_the_distribution() -> None:
    table = risk_table(1, 1)
    assert [row[0] for row in table] == [i / 20 for i in range(21)]
    assert table[10] == pytest.approx((0.5, 1, 0.5, 0.25))
    assert table[0] == pytest.approx((0, 1, 0, 0.5))
    assert table[20] == pytest.approx((1, 1, 1, 0))


# ---- what always holds

free = st.tuples(st.integers(-1000, 5000), st.integers(0, 2500))
frees = st.none() | free
clusters = st.lists(st.tuples(frees, frees), min_size=1, max_size=12)
amounts = st.integers(0, 5000)
levels = st.integers(0, 100)


def cluster_of(found: Iterable[tuple[Any, Any]]) -> list[Node]:
    shares = [(cpu, memory and (memory[0] / 500, memory[1] / 500)) for cpu, memory in found]
    return [measured(f"n{i:02}", cpu, memory) for i, (cpu, memory) in enumerate(shares)]


def answers(plugin: Plugin, asks: Pod, nodes: Iterable[Node]) -> tuple[dict[str, bool], dict[str, int]]:
    cache = Cache()
    for there in nodes:
        cache.set_node(there)
    info = cache.pod_info(asks)
    verdicts = Cycle(Profile.of([plugin])).decide(info, cache.view, Context()).freeze().verdicts
    scores = Cycle(Profile(score=(Scorer(plugin, 1),))).decide(info, cache.view, Context()).freeze().scores
    return {name: v.feasible for name, v in verdicts.items()}, {name: s.total for name, s in scores.items()}


@given(clusters, amounts, levels, levels)
@settings(deadline=None)
def test_scores_are_in_range_and_zero_where_the_filter_rejects(
    cluster: list[Any], cpu: int, utilization: int, percentile: int
) -> None:
    policy = SafeOverload(SafeOverloadArgs(utilization=utilization, percentile=percentile))
    fits, scores = answers(policy, pod(cpu=f"{cpu}m", memory=f"{cpu}Mi"), cluster_of(cluster))
    assert all(0 <= score <= 100 for score in scores.values())
    assert all(fits[name] or scores[name] == 0 for name in fits)


@given(clusters, amounts, levels, levels)
@settings(deadline=None)
def test_a_node_passes_if_and_only_if_no_known_risk_is_above_the_percentile(
    cluster: list[Any], cpu: int, utilization: int, percentile: int
) -> None:
    policy = SafeOverload(SafeOverloadArgs(utilization=utilization, percentile=percentile))
    nodes = cluster_of(cluster)
    fits, _ = answers(policy, pod(cpu=f"{cpu}m"), nodes)
    for there in nodes:
        risks = []
        for resource, capacity, asked in (("cpu", 4000, cpu), ("memory", 8 * GI, 0)):
            if f"mean-free-{resource}" in there.annotations:
                mean, deviation = (float(there.annotations[f"{word}-free-{resource}"]) for word in ("mean", "std"))
                share, width = (max(capacity - mean, 0) + asked) / capacity, min(deviation / capacity, 1)
                risks.append(overload_risk(np.array([share]), np.array([width]), utilization / 100)[0])
        assert fits[there.name] == all(risk <= percentile / 100 for risk in risks), risks


@given(clusters, amounts, st.randoms())
@settings(deadline=None)
def test_the_order_of_the_nodes_does_not_matter(cluster: list[Any], cpu: int, dice: Any) -> None:
    nodes = cluster_of(cluster)
    shuffled = dice.sample(nodes, len(nodes))
    asks = pod(cpu=f"{cpu}m")
    assert answers(SafeOverload(), asks, nodes) == answers(SafeOverload(), asks, shuffled)


@given(free, st.integers(0, 1500), st.integers(0, 1500))
@settings(deadline=None)
def test_who_asks_for_more_does_not_fit_where_who_asks_for_less_does_not(
    cpu: tuple[int, int], one: int, other: int
) -> None:
    """As long as the spread is that of a distribution with one peak: else more may be better, but hardly."""
    there = measured("n", (min(cpu[0], 3000), min(cpu[1], 300)))
    less, more = (answers(SafeOverload(), pod(cpu=f"{ask}m"), [there])[0]["n"] for ask in sorted((one, other)))
    assert less or not more


# ---- remembering and looking ahead


def test_a_change_is_noticed_though_answers_are_remembered() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([SafeOverload()]))
    for free, expected in ((3000, "b"), (500, None), (500, None), (2900, "b"), (None, "b")):
        cache.set_node(measured("b", free and (free, 100)))
        assert cycle.decide(cache.pod_info(SMALL), cache.view, Context()).node == expected


def test_pods_that_ask_for_other_amounts_get_other_answers() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([SafeOverload()]))
    cache.set_node(MID)
    for _ in range(3):
        for cpu, expected in (("200m", "mid"), ("2", None)):
            assert cycle.decide(cache.pod_info(pod(cpu=cpu)), cache.view, Context()).node == expected


def test_pods_that_wait_together_are_placed_as_one_by_one() -> None:
    known = [measured(f"n{i:02}", (800 + 90 * i, 200 + 10 * i), (2 + i / 8, 0.3)) for i in range(25)]
    nodes = [*known, NONE, node("z", cpu="4", memory="8Gi", pods=3)]
    policies = ["SafeOverload", "SafeBalance", "NodeResourcesFit"]
    together = roost.simulate(nodes, [pod(f"p{i}", cpu="300m") for i in range(90)], policy=policies).placements
    apart = roost.simulate(
        nodes, [pod(f"p{i}", cpu="300m", labels={"number": str(i)}) for i in range(90)], policy=policies
    ).placements
    assert together == apart
    assert len(set(together.values())) > 5
