import ast
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roost
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.arguments import make_plugin
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.measure import ALLOCATION_AT
from roost.framework.plugin import Context, Surroundings
from roost.framework.profile import Profile, Scorer
from roost.plugins.intree.node_unschedulable import NodeUnschedulable
from roost.plugins.policies.pigeon_holing import (
    CONFIG_FILE,
    NUM_RESOURCES_VARIABLE,
    OBJECTIVE_VARIABLE,
    PigeonHoling,
    PigeonHolingArgs,
    ranked,
)
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
Texts = Mapping[str, str]

FOLDER = Path(__file__).parents[2] / "golden"
OBJECTIVE, SERVER, SPECIAL = (
    json.loads((FOLDER / f"pigeon_{name}.json").read_text()) for name in ("objective", "server", "special")
)
CASES = [case for case in OBJECTIVE["cases"] if not case["name"].startswith("_")]
SHIPPED = "# configuration of pigeon\npolicyResourceIndex = 0\npolicyObjective = A_BINPACK\n"
GI = 2**30
INDEX = "policyResourceIndex"


def defaults(
    environ: Texts | None = None, file: str | None = None, warnings: list[str] | None = None, **given: Any
) -> dict[str, Any]:
    """Return the arguments that these surroundings and what is given come to."""
    around = Surroundings(environ or {}, {CONFIG_FILE: file}.get, [].append if warnings is None else warnings.append)
    return {**PigeonHoling.defaults(around, given), **given}


def made(environ: Texts | None = None, file: str | None = None, **given: Any) -> PigeonHoling:
    return PigeonHoling(msgspec.convert(defaults(environ, file, **given), PigeonHolingArgs))


def placed_like(policy: PigeonHoling, pods: Iterable[Pod], nodes: Iterable[Node]) -> list[dict[str, int]]:
    """Return the scores for each pod in turn; the policy learns from each as an extender that is asked does."""
    cache, cycle = Cache(), Cycle(Profile(score=(Scorer(policy, 1),)))
    for one in nodes:
        cache.set_node(one)
    learnt: dict[str, Any] = {}
    found = []
    for one in pods:
        info = cache.pod_info(one)
        decision = cycle.decide(info, cache.view, Context(learnt=learnt))
        assert decision.outcome == "scheduled", decision.message
        found.append({name: row.raw[policy.name] for name, row in decision.freeze().scores.items()})
        learnt = {policy.name: policy.learn(learnt.get(policy.name), info, cache.view)}
    return found


def allocated(name: str, *, at: str | None = None, there: Mapping[str, Any] | None = None, **requested: Any) -> Node:
    """Return a node of 4 CPUs and 8 GiB whose annotations say what is requested."""
    texts = {f"requested-{key.replace('_', '-')}": str(value) for key, value in requested.items()}
    if at is not None:
        texts[ALLOCATION_AT] = at
    return node(name, annotations=texts, **{"cpu": "4", "memory": "8Gi", **(there or {})})


def three_nodes() -> list[Node]:
    """Return the nodes of most of the recorded cases."""
    amounts = {"n1": (1000, 2), "n2": (2000, 4), "n3": (3500, 1)}
    return [allocated(name, cpu=cpu, memory=memory * GI) for name, (cpu, memory) in amounts.items()]


SMALL = pod(cpu="500m", memory="512Mi")


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in (NUM_RESOURCES_VARIABLE, OBJECTIVE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


# ---- the numbers of the original


@pytest.mark.parametrize("case", CASES, ids=[f"{case['objective']}: {case['name']}" for case in CASES])
def test_p1_the_recorded_values_are_ranked_as_recorded(case: Mapping[str, Any]) -> None:
    for step in case["steps"]:
        values = [np.nan if value is None else value for value in step["value"].values()]
        fits = np.array([value is not None for value in step["value"].values()])
        assert ranked(np.array(values), fits, 10).tolist() == [step["rank"][name] for name in step["value"]]


def of_server(run: str, **given: Any) -> list[dict[str, int]]:
    """Return the scores of a recorded run of the original server, in order."""
    recorded = SERVER["runs"][run]
    policy = made(recorded["env"], SHIPPED if recorded["cwd_has_pigeon_cfg"] else None, **given)
    pods = [msgspec.convert(one, Pod) for one in SERVER["pods"]]
    return placed_like(policy, pods, [msgspec.convert(one, Node) for one in SERVER["nodes"]])


@pytest.mark.parametrize("run", SERVER["runs"])
def test_p2_the_recorded_scores_of_the_server_are_reproduced(run: str) -> None:
    recorded = [result["scores"] for result in SERVER["runs"][run]["results"]]
    assert of_server(run, compat="original") == recorded


@pytest.mark.parametrize("run", SERVER["runs"])
def test_the_default_gives_the_same_scores_but_where_init_containers_ask_for_more(run: str) -> None:
    recorded = SERVER["runs"][run]["results"]
    differing = [
        result["pod"]
        for scores, result in zip(of_server(run, scale="extender"), recorded, strict=True)
        if scores != result["scores"]
    ]
    assert differing == ["p-init"]


@pytest.mark.parametrize("given", [{"compat": "original"}, {"scale": "extender"}], ids=["the original", "the default"])
def test_the_favourite_moves_while_the_sizes_of_pods_are_learnt(given: Mapping[str, Any]) -> None:
    steps = next(case["steps"] for case in CASES if case["name"] == "abp-learning-sequence")
    nodes = [
        node(
            one["name"],
            cpu=f"{one['capacity'][0]}m",
            memory=f"{one['capacity'][1]}Mi",
            annotations={"requested-cpu": str(one["usage"][0]), "requested-memory": str(one["usage"][1] * 2**20)},
        )
        for one in steps[0]["nodes"]
    ]
    pods = [pod(cpu=f"{cpu}m", memory=f"{memory}Mi") for cpu, memory in (step["demand"] for step in steps)]
    scores = placed_like(made(**given), pods, nodes)
    assert scores == [step["rank"] for step in steps]
    favourites = [min((name for name in one if one[name] == 10), default="") for one in scores]
    assert favourites == ["n3", "n3", "n3", "n1", "n4", "n4", "n2"]


# ---- the checklist


def test_p3_a_pod_that_asks_for_what_is_free_finds_room_and_one_unit_more_does_not(rate: Rate) -> None:
    nodes = [allocated("n1", cpu=1000, memory=2 * GI), allocated("n2", cpu=4000, memory=0)]
    assert rate(made(), pod(cpu="3000m", memory="6Gi"), nodes) == {"n1": 100, "n2": 0}
    assert rate(made(), pod(cpu="3001m", memory="6Gi"), nodes) == {"n1": 0, "n2": 0}
    assert rate(made(), pod(cpu="3000m", memory=6 * GI + 1), nodes) == {"n1": 0, "n2": 0}


@pytest.mark.parametrize("objective", ["A_BINPACK", "LOAD_BALANCE", "CONSOLIDATE"])
def test_p4_where_the_pod_finds_room_on_no_node_all_score_0(rate: Rate, objective: str) -> None:
    assert rate(made(policyObjective=objective), pod(cpu="5"), three_nodes()) == {"n1": 0, "n2": 0, "n3": 0}


@pytest.mark.parametrize("objective", ["A_BINPACK", "LOAD_BALANCE", "CONSOLIDATE"])
def test_p5_of_equal_values_all_score_highest(rate: Rate, objective: str) -> None:
    nodes = [allocated(f"n{i}", cpu=1000, memory=GI) for i in range(7)]
    full = allocated("full", cpu=4000, memory=GI)
    scores = rate(made(policyObjective=objective), SMALL, [*nodes, full])
    assert scores == {**{f"n{i}": 100 for i in range(7)}, "full": 0}


OBJECTIVE_ROWS = {ast.literal_eval(key[10:]): name for key, name in SPECIAL.items() if key.startswith("objective ")}


@pytest.mark.parametrize("text", OBJECTIVE_ROWS, ids=repr)
def test_p6_a_variable_that_names_no_objective_means_a_binpack(text: str) -> None:
    warnings: list[str] = []
    policy = defaults({OBJECTIVE_VARIABLE: text}, "policyObjective = A_BINPACK", warnings)
    assert policy["policyObjective"] == OBJECTIVE_ROWS[text]
    sentence = f"POLICY_OBJECTIVE: must be one of A_BINPACK, LOAD_BALANCE, CONSOLIDATE, not '{text}'; A_BINPACK is used"
    assert warnings == ([sentence] if text else [])


@pytest.mark.parametrize("text", ["9", "6", "0", "-1", "two", "2.0", " 2", "1e0"])
def test_p7_a_variable_that_is_no_number_of_resources_means_two(text: str) -> None:
    warnings: list[str] = []
    assert "numResources" not in defaults({NUM_RESOURCES_VARIABLE: text}, warnings=warnings)
    assert warnings == [f"NUM_RESOURCES: must be from 1 to 5, not '{text}'; 2 is used"]
    assert made({NUM_RESOURCES_VARIABLE: text}).args.num_resources == 2


@pytest.mark.parametrize("text", ["1", "2", "5", "+3"])
def test_a_variable_sets_the_number_of_resources(text: str) -> None:
    assert made({NUM_RESOURCES_VARIABLE: text}).args.num_resources == int(text)


FILE_ROWS = {ast.literal_eval(key[4:]): name for key, name in SPECIAL.items() if key.startswith("cfg '")}
TOLERATED = {text for text in FILE_ROWS if text.startswith(" ") or text.endswith(("   \n", "# x\n", "\r\n"))}


@pytest.mark.parametrize("text", FILE_ROWS, ids=repr)
def test_p10_compat_reads_the_file_as_the_original(text: str) -> None:
    assert made(file=text, compat="original").args.policy_objective == FILE_ROWS[text]


@pytest.mark.parametrize("text", FILE_ROWS, ids=repr)
def test_p10_by_default_spaces_comments_and_carriage_returns_do_no_harm(text: str) -> None:
    expected = "CONSOLIDATE" if text in TOLERATED else FILE_ROWS[text]
    assert made(file=text).args.policy_objective == expected


def test_p10_a_file_on_disk_is_read_with_its_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_bytes(b"policyObjective = CONSOLIDATE\r\npolicyResourceIndex = 1\r\n")
    for given_args, objective in (({}, "CONSOLIDATE"), ({"compat": "original"}, "A_BINPACK")):
        policy = make_plugin("PigeonHoling", PigeonHoling, ("args", given_args))
        assert policy.args.policy_objective == objective


def test_p11_storage_is_compared_in_one_unit(rate: Rate) -> None:
    """The original compared bytes asked for with GiB that are there: no room anywhere, or a wrapped number."""
    there = {"allocatable": {"ephemeral-storage": "10Gi"}}
    nodes = [allocated("n1", ephemeral_storage=8 * GI, there=there), allocated("n2", there=there)]
    stored = pod(cpu="100m", requests={"ephemeral-storage": "3Gi"})
    assert rate(made(numResources=5), stored, nodes) == {"n1": 0, "n2": 100}
    of_original = {
        size: rate(made(numResources=5, compat="original"), pod(requests={"ephemeral-storage": size}), nodes)
        for size in ("1Gi", "4Gi")
    }
    assert set(of_original["1Gi"].values()) == {0}
    assert 0 not in of_original["4Gi"].values()


def test_p11_gpus_count_under_the_name_that_they_have(rate: Rate) -> None:
    """The original looked for a resource `gpu`, and took it that no pod asks for any."""
    nodes = [allocated(f"n{used}", gpu=used, there={"allocatable": {"nvidia.com/gpu": 4}}) for used in (2, 4)]
    asking = pod(cpu="100m", requests={"nvidia.com/gpu": 1})
    assert rate(made(numResources=4), asking, nodes) == {"n2": 100, "n4": 0}
    other = pod(cpu="100m", requests={"amd.com/gpu": 1})
    there = [allocated(f"n{n}", there={"allocatable": {"amd.com/gpu": n}}) for n in (0, 1)]
    assert rate(made(numResources=4, gpuResource="amd.com/gpu"), other, there) == {"n0": 0, "n1": 100}
    literal = [allocated(f"n{n}", there={"allocatable": {"gpu": n}}) for n in (0, 1)]
    assert rate(made(numResources=4, compat="original"), pod(requests={"gpu": 1}), literal)["n0"] > 0


def test_a_resource_that_nobody_has_named_is_on_no_node(rate: Rate) -> None:
    assert rate(made(numResources=4, gpuResource="x/none"), SMALL, three_nodes())["n1"] == 100


# ---- the configuration


def test_the_file_chooses_the_objective_and_its_resource_and_a_variable_goes_before_it() -> None:
    file = "policyObjective = LOAD_BALANCE\npolicyResourceIndex = 1\n"
    policy = made(file=file, scale="extender")
    assert (policy.args.policy_objective, policy.args.policy_resource_index) == ("LOAD_BALANCE", 1)
    assert placed_like(policy, [SMALL], three_nodes()) == [{"n1": 7, "n2": 1, "n3": 10}]
    assert made({OBJECTIVE_VARIABLE: "CONSOLIDATE"}, file).args.policy_objective == "CONSOLIDATE"
    assert made({OBJECTIVE_VARIABLE: ""}, file).args.policy_objective == "LOAD_BALANCE"


def test_arguments_go_before_variables_and_the_file() -> None:
    environ = {OBJECTIVE_VARIABLE: "CONSOLIDATE", NUM_RESOURCES_VARIABLE: "5"}
    policy = made(environ, "policyResourceIndex = 4", policyObjective="LOAD_BALANCE", numResources=3, **{INDEX: 2})
    assert (policy.args.policy_objective, policy.args.num_resources) == ("LOAD_BALANCE", 3)


def test_a_missing_file_means_a_binpack_of_cpu() -> None:
    assert SPECIAL["missing_cfg_objective"] == made().args.policy_objective == "A_BINPACK"
    assert SPECIAL["cfg_lb_objective"] == made(file="policyObjective=LOAD_BALANCE").args.policy_objective


def test_the_original_knew_no_pods_if_the_file_named_another_objective_than_the_variable(rate: Rate) -> None:
    environ, file = {OBJECTIVE_VARIABLE: "A_BINPACK"}, "policyObjective = LOAD_BALANCE"
    assert SPECIAL["cfg_lb_then_env_abinpack_values"] == [0, 0, 0]
    original = made(environ, file, compat="original")
    assert original.args.file_objective == "LOAD_BALANCE"
    assert rate(original, SMALL, three_nodes()) == {"n1": 10, "n2": 10, "n3": 10}
    assert rate(made(environ, file, scale="extender"), SMALL, three_nodes()) == {"n1": 10, "n2": 3, "n3": 1}
    assert made(environ, file, compat="original", policyObjective="A_BINPACK").args.file_objective is None


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("policyObjective = SPREAD", "policyObjective: must be one of A_BINPACK, LOAD_BALANCE, CONSOLIDATE, not 'SPR"),
        ("policyResourceIndex = one", "policyResourceIndex: must be a whole number, not 'one'; 0 is used"),
        ("policyobjective = CONSOLIDATE", "policyobjective: is no setting; there are policyObjective and policyRes"),
    ],
)
def test_what_cannot_be_used_in_the_file_is_told(file: str, sentence: str) -> None:
    warnings: list[str] = []
    found = defaults(file=file, warnings=warnings)
    assert warnings[0].startswith(f"pigeon.cfg: {sentence}")
    assert len(warnings) == 1
    assert found in ({}, {"policyObjective": "A_BINPACK"})


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"numResources": 9}, "numResources: must be from 1 to 5, not 9"),
        ({"numResources": 0}, "numResources: must be from 1 to 5, not 0"),
        ({INDEX: 2}, f"{INDEX}: must be from 0 to 1, below numResources, not 2"),
        ({INDEX: -1}, f"{INDEX}: must be from 0 to 1, below numResources, not -1"),
        ({"policyObjective": "load_balance"}, "policyObjective: "),
        ({"gpuResource": " "}, "gpuResource: is empty; name a resource, such as nvidia.com/gpu"),
        ({"gpuResource": "amd.com/gpu", "compat": "original"}, "gpuResource: compat: original reads gpu"),
        ({"source": "cluster", "compat": "original"}, "source: compat: original reads annotations"),
        ({"fileObjective": "CONSOLIDATE"}, "fileObjective: has a meaning only with compat: original"),
        ({"resources": 3}, "resources: unknown field"),
    ],
)
def test_wrong_arguments_are_refused_with_the_field_and_what_to_do(args: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pluginConfig\[0\]\.args\.{sentence}"):
        profile_from_fragment(
            {
                "plugins": {"score": {"enabled": [{"name": "PigeonHoling"}]}},
                "pluginConfig": [{"name": "PigeonHoling", "args": dict(args)}],
            }
        )


# ---- what is used on nodes

HALF = {"cpu": 2000, "memory": 4 * GI}


def scores_with(source: str, *nodes: Node, running: Sequence[Pod] = (), stale_before: float | None = None) -> Any:
    """Return the scores of a pod for balance of CPU, with pods on nodes that annotations may or may not know of."""
    policy = made(policyObjective="LOAD_BALANCE", source=source)
    cache, cycle = Cache(), Cycle(Profile(score=(Scorer(policy, 1),)))
    for one in nodes:
        cache.set_node(one)
    for one in running:
        cache.set_pod(one)
    cycle.decide(cache.pod_info(SMALL), cache.view, Context())
    if stale_before is not None:
        cache.view.age(stale_before)
    scores = cycle.decide(cache.pod_info(SMALL), cache.view, Context()).freeze().scores
    return {name: row.total for name, row in scores.items()}


BUSY = [pod(f"p{i}", cpu="1", node_name="b") for i in range(3)]


@pytest.mark.parametrize(
    ("source", "a", "b", "best"),
    [
        pytest.param("auto", allocated("a", **HALF), allocated("b"), "a", id="without annotations, its pods count"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu=1000), "b", id="annotations go before pods"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu="x"), "a", id="an unreadable one is none"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu=-1), "a", id="nor is a negative one"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu="NaN"), "a", id="nor one that is no number"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu="1000.0"), "b", id="decimals are fine"),
        pytest.param("auto", allocated("a", **HALF), allocated("b", cpu="1E+3"), "b", id="so are exponents"),
        pytest.param("annotations", allocated("a", **HALF), allocated("b"), "b", id="annotations alone: b is empty"),
        pytest.param("cluster", allocated("b"), allocated("a", **HALF), "a", id="the cluster alone: a is empty"),
        pytest.param("cluster", allocated("a", cpu=4000), allocated("b"), "a", id="though annotations say it is full"),
    ],
)
def test_where_usage_is_read(source: str, a: Node, b: Node, best: str) -> None:
    scores = scores_with(source, a, b, running=BUSY)
    assert max(scores, key=scores.__getitem__) == best


def test_annotations_that_are_too_old_count_as_missing() -> None:
    nodes = [allocated("a", **HALF), allocated("b", at="100", cpu=1000)]
    assert scores_with("auto", *nodes, running=BUSY, stale_before=100.0) == {"a": 1, "b": 100}
    assert scores_with("auto", *nodes, running=BUSY, stale_before=101.0) == {"a": 100, "b": 1}
    assert scores_with("annotations", *nodes, running=BUSY, stale_before=101.0) == {"a": 1, "b": 100}


def test_the_original_does_not_ask_how_old_annotations_are() -> None:
    cache, policy = Cache(), made(compat="original", policyObjective="LOAD_BALANCE")
    for one in (allocated("a", **HALF), allocated("b", at="100", cpu=3000)):
        cache.set_node(one)
    cycle = Cycle(Profile(score=(Scorer(policy, 1),)))
    before = cycle.decide(cache.pod_info(SMALL), cache.view, Context()).freeze().scores
    cache.view.age(1000.0)
    assert cycle.decide(cache.pod_info(SMALL), cache.view, Context()).freeze().scores == before


@pytest.mark.parametrize("text", ["1677721600.0", "1.6777216E+9"])
def test_what_the_allocation_annotator_wrote_for_fractions_is_read(rate: Rate, text: str) -> None:
    """The original took it for an empty node."""
    nodes = [allocated("a", memory=text), allocated("b", memory=GI)]
    policy = {"policyObjective": "LOAD_BALANCE", INDEX: 1}
    assert rate(made(**policy), SMALL, nodes) == {"a": 1, "b": 100}
    assert rate(made(**policy, compat="original"), SMALL, nodes) == {"a": 10, "b": 1}


# ---- what a pod asks for


def test_init_containers_sidecars_and_overhead_count(rate: Rate) -> None:
    nodes = [allocated("a", cpu=1000), allocated("b", cpu=3000)]
    big = {"name": "i", "resources": {"requests": {"cpu": "2"}}}
    for more in ({"initContainers": [big]}, {"overhead": {"cpu": "1900m"}}):
        assert rate(made(), pod(cpu="100m", spec=more), nodes) == {"a": 100, "b": 0}
        assert rate(made(compat="original"), pod(cpu="100m", spec=more), nodes)["b"] > 0


def test_a_pod_that_asks_for_nothing_counts_as_small(rate: Rate) -> None:
    for given_args in ({}, {"compat": "original"}):
        nodes = [allocated("a", cpu=3990, memory=8 * GI - 2**24), allocated("b", cpu=3991), allocated("c", cpu=0)]
        scores = rate(made(**given_args), pod(), nodes)
        assert (scores["a"] > 0, scores["b"], scores["c"] > 0) == (True, 0, True)


# ---- the cluster


def test_all_nodes_count_also_those_that_the_pod_cannot_use() -> None:
    """The original knew only those that it was asked about, and saw no difference from the empty ones."""
    nodes = [allocated("a", there={"cpu": "2"}), allocated("b", cpu=4000, there={"cpu": "8"})]
    cordoned = [allocated(f"x{i}", there={"unschedulable": True}) for i in range(9)]
    found = []
    for given_args in ({"scale": "extender"}, {"compat": "original"}):
        policy = made(policyObjective="LOAD_BALANCE", **given_args)
        cache, cycle = Cache(), Cycle(Profile(filter=(NodeUnschedulable(),), score=(Scorer(policy, 1),)))
        for one in [*nodes, *cordoned]:
            cache.set_node(one)
        scores = cycle.decide(cache.pod_info(pod(cpu="1")), cache.view, Context()).freeze().scores
        found.append({name: row.raw["PigeonHoling"] for name, row in scores.items()})
    assert found == [{"a": 1, "b": 10}, {"a": 10, "b": 1}]


def test_nodes_that_are_gone_do_not_count() -> None:
    cache, policy = Cache(), made(policyObjective="LOAD_BALANCE", scale="extender")
    for name, used in (("gone", 4000), ("a", 1000), ("b", 2000)):
        cache.set_node(allocated(name, cpu=used))
    cache.remove_node("gone")
    for cycle in (Cycle(Profile(score=(Scorer(policy, 1),))), Cycle(Profile.of([policy]))):
        scores = cycle.decide(cache.pod_info(SMALL), cache.view, Context()).freeze().scores
        assert {name: row.raw["PigeonHoling"] for name, row in scores.items()} == {"a": 10, "b": 1}
    every_row = policy.score(Context(), cache.pod_info(SMALL), cache.view, slice(None))
    assert every_row.tolist() == [0, 10, 1]


def test_without_nodes_there_is_nothing_to_score() -> None:
    assert SPECIAL["zero_nodes"] == [[], []]
    assert roost.decide(SMALL, [], policy="PigeonHoling").outcome == "unschedulable"


def test_load_balance_spreads_and_consolidate_packs() -> None:
    nodes = [node(f"n{i}", cpu="4", memory="8Gi") for i in range(4)]
    pods = [pod(f"p{i}", cpu="1", memory="1Gi") for i in range(8)]
    counts = {}
    for objective in ("LOAD_BALANCE", "CONSOLIDATE"):
        profile = Profile(score=(Scorer(made(policyObjective=objective), 1),))
        placed = list(roost.simulate(nodes, pods, policy=profile).placements.values())
        counts[objective] = sorted(placed.count(one.name) for one in nodes)
    assert counts == {"LOAD_BALANCE": [2, 2, 2, 2], "CONSOLIDATE": [0, 0, 4, 4]}


# ---- what must always hold

texts = st.one_of(
    st.none(),
    st.integers(-10, 5000).map(str),
    st.sampled_from(["1E+3", "100.0", "nan", "inf", "-1", "1e400", "", "x", "9" * 25, str(2**63), str(-(2**63))]),
)
clusters = st.lists(st.tuples(texts, texts, st.sampled_from(["0", "1", "4", "250m"])), min_size=1, max_size=8)
arguments = st.fixed_dictionaries(
    {
        "policyObjective": st.sampled_from(["A_BINPACK", "LOAD_BALANCE", "CONSOLIDATE"]),
        "numResources": st.integers(1, 5),
        "compat": st.sampled_from([None, "original"]),
    }
)
askings = st.lists(st.sampled_from(["0", "1m", "500m", "2", "3000000"]), min_size=1, max_size=3)


def built(cluster: Sequence[tuple[str | None, str | None, str]]) -> list[Node]:
    return [
        node(
            f"n{i}",
            cpu=cpu,
            annotations={
                key: text for key, text in (("requested-cpu", used), ("requested-pods", pods)) if text is not None
            },
        )
        for i, (used, pods, cpu) in enumerate(cluster)
    ]


@given(clusters, arguments, askings)
@settings(deadline=None)
def test_scores_are_of_0_to_the_highest_whatever_annotations_say(cluster: Any, args: Any, cpus: Any) -> None:
    policy = made(**args)
    for scores in placed_like(policy, [pod(cpu=cpu) for cpu in cpus], built(cluster)):
        assert all(0 <= score <= policy.args.highest for score in scores.values())
        room = [score for score in scores.values() if score]
        assert not room or max(room) == policy.args.highest


@given(clusters, arguments, askings, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_nodes_does_not_matter(cluster: Any, args: Any, cpus: Any, random: Any) -> None:
    nodes, pods = built(cluster), [pod(cpu=cpu) for cpu in cpus]
    shuffled = random.sample(nodes, len(nodes))
    assert placed_like(made(**args), pods, nodes) == placed_like(made(**args), pods, shuffled)


@given(clusters, arguments, askings)
@settings(deadline=None)
def test_nodes_alike_score_alike(cluster: Any, args: Any, cpus: Any) -> None:
    for scores in placed_like(made(**args), [pod(cpu=cpu) for cpu in cpus], built([*cluster, *cluster])):
        assert [scores[f"n{i}"] for i in range(len(cluster))] == [
            scores[f"n{i + len(cluster)}"] for i in range(len(cluster))
        ]
