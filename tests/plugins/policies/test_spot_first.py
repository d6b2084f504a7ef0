from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roost
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code, Status
from roost.plugins.policies.spot_first import SpotFirst, SpotFirstArgs
from roost.testing import node, pod

Fields = dict[str, Any]
Judge = Callable[..., Mapping[str, Status]]
Rate = Callable[..., dict[str, int]]

AKS = {"kubernetes.azure.com/scalesetpriority": "spot"}
AKS_TAINT = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}
GKE_TAINT = {"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NoSchedule"}
TOLERATES_AKS = {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Exists"}


def reason(taint: str) -> str:
    return f"node(s) are spot nodes with taint {taint} that the pod does not tolerate"


AKS_REASON = reason("kubernetes.azure.com/scalesetpriority=spot:NoSchedule")
GKE_REASON = reason("cloud.google.com/gke-spot=true:NoSchedule")


def heard_first() -> Profile:
    """Like the policy alone, but asked before kube-scheduler's filters."""
    only = {"enabled": [{"name": "SpotFirst"}]}
    score = only | {"disabled": [{"name": "*"}]}
    return profile_from_fragment({"plugins": {"multiPoint": only, "filter": only, "score": score}})


@pytest.mark.parametrize(
    ("labels", "is_spot"),
    [
        pytest.param({"eks.amazonaws.com/capacityType": "SPOT"}, True, id="an EKS managed node group of spot"),
        pytest.param({"eks.amazonaws.com/capacityType": "ON_DEMAND"}, False, id="one of on-demand"),
        pytest.param({"karpenter.sh/capacity-type": "spot"}, True, id="a spot node of Karpenter"),
        pytest.param({"karpenter.sh/capacity-type": "on-demand"}, False, id="another one of Karpenter"),
        pytest.param({"node-lifecycle": "spot"}, True, id="a spot node of eksctl"),
        pytest.param({"node-lifecycle": "on-demand"}, False, id="another one of eksctl"),
        pytest.param({"lifecycle": "Ec2Spot"}, True, id="a spot node of AWS CDK"),
        pytest.param({"lifecycle": "OnDemand"}, False, id="another one of AWS CDK"),
        pytest.param({"node.kubernetes.io/lifecycle": "spot"}, True, id="a spot node of Terraform's EKS module"),
        pytest.param({"cloud.google.com/gke-spot": "true"}, True, id="a GKE spot VM"),
        pytest.param({"cloud.google.com/gke-provisioning": "spot"}, True, id="a GKE spot VM by the newer label"),
        pytest.param({"cloud.google.com/gke-provisioning": "standard"}, False, id="a standard GKE VM"),
        pytest.param({"cloud.google.com/gke-preemptible": "true"}, True, id="a preemptible GKE VM"),
        pytest.param({"kubernetes.azure.com/scalesetpriority": "spot"}, True, id="an AKS spot pool"),
        pytest.param({"kubernetes.azure.com/scalesetpriority": "regular"}, False, id="a regular AKS pool"),
        pytest.param({"oci.oraclecloud.com/oke-is-preemptible": "true"}, True, id="a preemptible OKE node"),
        pytest.param({"scheduling.cast.ai/spot": "true"}, True, id="a spot node of CAST AI"),
        pytest.param({"kubernetes.io/role": "spot-worker"}, True, id="the spot rescheduler's label"),
        pytest.param({"kubernetes.io/role": "worker"}, False, id="its label for on-demand"),
        pytest.param({"node-role.kubernetes.io/spot-worker": ""}, True, id="the label of its README, without a value"),
        pytest.param({}, False, id="a node of which nothing is known counts as on-demand"),
        pytest.param({"kubernetes.io/hostname": "spot"}, False, id="the word alone means nothing"),
    ],
)
def test_known_labels(rate: Rate, labels: dict[str, str], is_spot: bool) -> None:
    assert rate(SpotFirst(), pod(), [node("n", labels=labels), node("x")]) == {"n": 100 * is_spot, "x": 0}


@pytest.mark.parametrize(
    ("mark", "labels", "is_spot"),
    [
        pytest.param("tier=cheap", {"tier": "cheap"}, True, id="key and value"),
        pytest.param("tier=cheap", {"tier": "dear"}, False, id="the key with another value"),
        pytest.param("tier=cheap", {}, False, id="the key is lacking"),
        pytest.param("tier", {"tier": "whatever"}, True, id="a key alone asks for no value"),
        pytest.param("tier", {"tier": ""}, True, id="nor for one that is not empty"),
        pytest.param("tier=", {"tier": ""}, True, id="an empty value"),
        pytest.param("tier=", {}, False, id="an empty value does not match a node that lacks the key"),
        pytest.param(" tier = cheap ", {"tier": "cheap"}, True, id="spaces around do not matter"),
        pytest.param("tier=cheap", {"node-lifecycle": "spot"}, True, id="known ones stay known"),
    ],
)
def test_labels_of_one_s_own(rate: Rate, mark: str, labels: dict[str, str], is_spot: bool) -> None:
    scores = rate(SpotFirst(SpotFirstArgs(labels=(mark,))), pod(), [node("n", labels=labels), node("x")])
    assert scores == {"n": 100 * is_spot, "x": 0}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"labels": ["a=b=c"]}, r"labels\[0\]: must be a label as key or key=value, not 'a=b=c'"),
        ({"labels": ["a", ""]}, r"labels\[1\]: must be a label as key or key=value, not ''"),
        ({"labels": ["=spot"]}, r"labels\[0\]: must be a label as key or key=value, not '=spot'"),
        ({"labels": "a=b"}, "labels: is a text, not a list"),
        ({"label": ["a=b"]}, "label: unknown field; did you mean labels"),
    ],
)
def test_wrong_arguments_are_refused_with_the_field_and_what_it_must_be(args: Fields, sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pluginConfig\[0\]\.args\.{sentence}"):
        profile_from_fragment(
            {
                "plugins": {"score": {"enabled": [{"name": "SpotFirst"}]}},
                "pluginConfig": [{"name": "SpotFirst", "args": args}],
            }
        )


@pytest.mark.parametrize(
    ("taints", "tolerations", "reasons"),
    [
        pytest.param([], [], (), id="no taint"),
        pytest.param([AKS_TAINT], [], (AKS_REASON,), id="AKS' own taint"),
        pytest.param([AKS_TAINT], [TOLERATES_AKS], (), id="a tolerated one"),
        pytest.param([AKS_TAINT | {"value": "regular"}], [], (), id="a value that is not spot's"),
        pytest.param([AKS_TAINT | {"effect": "PreferNoSchedule"}], [], (), id="a soft one keeps nobody away"),
        pytest.param(
            [AKS_TAINT | {"effect": "NoExecute"}], [], (AKS_REASON.replace("Schedule", "Execute"),), id="NoExecute"
        ),
        pytest.param(
            [{"key": "oci.oraclecloud.com/oke-is-preemptible", "value": "present", "effect": "NoSchedule"}],
            [],
            (reason("oci.oraclecloud.com/oke-is-preemptible=present:NoSchedule"),),
            id="OKE's, whose value differs from the label's",
        ),
        pytest.param(
            [{"key": "scheduling.cast.ai/spot", "effect": "NoSchedule"}],
            [],
            (reason("scheduling.cast.ai/spot:NoSchedule"),),
            id="one without a value",
        ),
        pytest.param([AKS_TAINT, GKE_TAINT], [], (AKS_REASON, GKE_REASON), id="two, each with a reason"),
        pytest.param([AKS_TAINT, GKE_TAINT], [TOLERATES_AKS], (GKE_REASON,), id="two, one tolerated"),
        pytest.param(
            [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}],
            [],
            (),
            id="no spot taint: not its business",
        ),
    ],
)
def test_spot_taints(judge: Judge, taints: list[Fields], tolerations: list[Fields], reasons: tuple[str, ...]) -> None:
    rejected = judge(SpotFirst(), pod(tolerations=tolerations), [node("spot", taints=taints, labels=AKS), node("x")])
    assert {name: status.reasons for name, status in rejected.items()} == ({"spot": reasons} if reasons else {})
    assert all(status.code is Code.UnschedulableAndUnresolvable for status in rejected.values())


def test_a_taint_of_one_s_own_label_is_a_spot_taint(judge: Judge) -> None:
    taint = {"key": "tier", "value": "cheap", "effect": "NoSchedule"}
    rejected = judge(SpotFirst(SpotFirstArgs(labels=("tier=cheap",))), pod(), [node("n", taints=[taint]), node("x")])
    assert rejected["n"].message == reason("tier=cheap:NoSchedule")


def test_a_node_is_a_spot_node_by_its_taint_alone(rate: Rate) -> None:
    nodes = [node("tainted", taints=[AKS_TAINT | {"effect": "PreferNoSchedule"}]), node("x")]
    assert rate(SpotFirst(), pod(), nodes) == {"tainted": 100, "x": 0}


FULL, SPOT = node("full", cpu="1"), node("spot", labels=AKS, taints=[AKS_TAINT])


def test_heard_first_it_says_which_spot_taint_and_leaves_the_other_reasons_as_they_are() -> None:
    nodes = [FULL, SPOT, node("other", taints=[{"key": "gpu", "effect": "NoSchedule"}])]
    decision = roost.decide(pod(cpu="2"), nodes, policy=heard_first())
    assert decision.message.startswith(
        f"0/3 nodes are available: 1 Insufficient cpu, 1 {AKS_REASON}, 1 node(s) had untolerated taint(s)."
    )
    assert decision.reasons[AKS_REASON] == 1


def test_by_a_policy_alone_it_is_heard_first() -> None:
    decision = roost.decide(pod(cpu="2"), [FULL, SPOT], policy="SpotFirst")
    assert decision.message.startswith(f"0/2 nodes are available: 1 Insufficient cpu, 1 {AKS_REASON}.")


def test_heard_last_the_text_is_kube_scheduler_s() -> None:
    profile = profile_from_fragment({"plugins": {"multiPoint": {"enabled": [{"name": "SpotFirst"}]}}})
    decision = roost.decide(pod(cpu="2"), [FULL, SPOT], policy=profile)
    assert decision.message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."
    )


@pytest.mark.parametrize("policy", ["SpotFirst", heard_first()], ids=["by a policy alone", "heard first"])
def test_where_every_node_is_out_of_bounds_it_is_said_in_any_case(policy: str | Profile) -> None:
    gke = node("gke", taints=[GKE_TAINT])
    decision = roost.decide(pod(), [SPOT, gke], policy=policy)
    assert decision.message.startswith(f"0/2 nodes are available: 1 {GKE_REASON}, 1 {AKS_REASON}.")
    assert roost.decide(pod(tolerations=[TOLERATES_AKS]), [SPOT, gke], policy=policy).node == "spot"


def test_the_taints_of_nodes_that_are_gone_do_not_count() -> None:
    cache = Cache()
    cache.set_node(SPOT)
    cache.set_node(FULL)
    cache.remove_node("spot")
    decision = Cycle(heard_first()).decide(cache.pod_info(pod(cpu="2")), cache.view, Context())
    assert decision.message.startswith("0/1 nodes are available: 1 Insufficient cpu.")


def test_spot_is_filled_before_on_demand_and_on_demand_takes_the_rest() -> None:
    nodes = [node("a", cpu="2"), node("b", cpu="2"), node("y", cpu="2", labels=AKS), node("z", cpu="2", labels=AKS)]
    placed = roost.simulate(nodes, [pod(f"p{i}", cpu="1") for i in range(9)], policy="SpotFirst").placements
    assert list(placed.values()) == ["y", "y", "z", "z", "a", "a", "b", "b", None]


def test_with_a_second_policy_that_one_chooses_among_the_spot_nodes() -> None:
    busy = [pod("busy", cpu="3", node_name="y")]
    nodes = [node("a"), node("y", labels=AKS), node("z", labels=AKS)]
    assert roost.decide(pod(cpu="1"), nodes, busy, policy="SpotFirst").node == "y"
    assert roost.decide(pod(cpu="1"), nodes, busy, policy=["SpotFirst", "NodeResourcesFit"]).node == "z"


def test_a_label_that_changes_is_noticed_though_answers_are_remembered() -> None:
    cache = Cache()
    cycle = Cycle(Profile.of([SpotFirst()]))
    for labels, expected in ((None, "a"), (AKS, "b"), (AKS, "b"), (None, "a")):
        cache.set_node(node("a"))
        cache.set_node(node("b", labels=labels))
        assert cycle.decide(cache.pod_info(pod()), cache.view, Context()).node == expected


kinds = st.sampled_from(["on-demand", "spot", "tainted spot"])
clusters = st.lists(st.tuples(kinds, st.booleans()), min_size=1, max_size=20)


@given(clusters, st.booleans(), st.sampled_from(["SpotFirst", heard_first()]))
@settings(deadline=None)
def test_on_demand_is_never_chosen_while_a_spot_node_fits(
    cluster: list[tuple[str, bool]], tolerates: bool, policy: str | Profile
) -> None:
    nodes = [
        node(
            f"{i:02}",
            cpu="4" if free else "1",
            labels=AKS if "spot" in kind else None,
            taints=[AKS_TAINT] if "tainted" in kind else [],
        )
        for i, (kind, free) in enumerate(cluster)
    ]
    asked = pod(cpu="2", tolerations=[TOLERATES_AKS] if tolerates else [])
    fitting = {
        f"{i:02}": kind for i, (kind, free) in enumerate(cluster) if free and (kind != "tainted spot" or tolerates)
    }
    spot = [name for name, kind in fitting.items() if "spot" in kind]
    decision = roost.decide(asked, nodes, policy=policy)
    assert decision.node == min(spot or fitting, default=None)
