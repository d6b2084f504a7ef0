"""A scheduler Policy as a configuration of today: plugins, weights, arguments, extenders, and what is said of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.legacy_samples import (
    CONGESTION,
    EVERPEACE,
    GPU_SHARE,
    NODE_INDEX,
    REPLACED,
    SAFE,
    SAMPLE,
    TIDB,
    args,
    converted,
    extender,
    loaded,
    manifest,
    names,
    notes,
    plugins_of,
    policy,
    weights,
)

from roost.config.configuration import Configuration
from roost.config.default_plugins import DEFAULT_PLUGINS
from roost.config.legacy.names import PREDICATES, PRIORITIES
from roost.config.profiles import build_profiles


@pytest.mark.parametrize("text", REPLACED)
def test_the_manifest_of_a_replaced_scheduler_is_joined_into_one_configuration(text: str) -> None:
    found = loaded(text)
    assert [profile.scheduler_name for profile in found.profiles] == ["my-scheduler"]
    election = found.leader_election
    assert (election.leader_elect, election.resource_name, election.resource_namespace) == (
        True,
        "my-scheduler",
        "kube-system",
    )
    assert all(one.url_prefix.startswith("http://localhost") for one in found.extenders)
    assert build_profiles(found)


def test_the_extenders_stay_in_their_order_with_verbs_and_weights() -> None:
    assert converted(manifest(SAFE)).data["extenders"] == [
        {
            "urlPrefix": "http://localhost/scheduler",
            "filterVerb": "predicates/safe-overload",
            "prioritizeVerb": "priorities/safe-overload",
            "weight": 1,
        },
        {"urlPrefix": "http://localhost/scheduler", "prioritizeVerb": "priorities/safe-balance", "weight": 10},
    ]


def test_lists_of_predicates_and_priorities_are_the_only_plugins_besides_the_mandatory_ones() -> None:
    plugins = plugins_of(NODE_INDEX)
    assert names(plugins, "multiPoint", "disabled") == ["*"]
    assert weights(NODE_INDEX) == {
        "NodeResourcesFit": 1,
        "PodTopologySpread": 1,
        "NodeResourcesBalancedAllocation": 1,
    }
    assert [name for name in names(plugins, "multiPoint", "enabled") if name not in weights(NODE_INDEX)] == [
        "SchedulingGates",
        "PrioritySort",
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "VolumeRestrictions",
        "DefaultPreemption",
        "DefaultBinder",
    ]


def test_what_only_filtered_does_not_score_and_what_only_scored_does_not_filter() -> None:
    (profile,) = build_profiles(loaded(manifest(NODE_INDEX)))
    assert {one.plugin.name: one.weight for one in profile.score} == {
        "NodeResourcesFit": 1,
        "PodTopologySpread": 1,
        "NodeResourcesBalancedAllocation": 1,
    }
    plugins = plugins_of(NODE_INDEX)
    for point in ("preFilter", "filter"):
        assert names(plugins, point, "disabled") == ["PodTopologySpread"]
    for point in ("preScore", "score"):
        assert names(plugins, point, "disabled") == ["TaintToleration", "NodeAffinity"]


def test_a_policy_without_lists_keeps_the_default_plugins() -> None:
    data = converted(json.dumps(CONGESTION)).data
    assert data.keys() == {"apiVersion", "kind", "extenders"}


def test_without_priorities_the_default_ones_score_with_the_weights_of_today() -> None:
    text = policy(predicates=[{"name": "GeneralPredicates"}])
    assert weights(text) == {name: DEFAULT_PLUGINS[name] for name in weights(text)}
    assert names(plugins_of(text), "filter", "disabled") == ["PodTopologySpread", "InterPodAffinity"]


def test_without_predicates_the_default_ones_filter() -> None:
    plugins = plugins_of(policy(priorities=[{"name": "ImageLocalityPriority", "weight": 7}]))
    assert plugins["multiPoint"] == {"enabled": [{"name": "ImageLocality", "weight": 7}]}
    assert "filter" not in plugins
    (profile,) = build_profiles(loaded(policy(priorities=[{"name": "ImageLocalityPriority", "weight": 7}])))
    assert [(one.plugin.name, one.weight) for one in profile.score] == [("ImageLocality", 7)]
    assert "TaintToleration" in {plugin.name for plugin in profile.filter}


def test_empty_lists_leave_only_what_is_mandatory() -> None:
    (profile,) = build_profiles(loaded(policy(predicates=[], priorities=[])))
    assert {plugin.name for plugin in profile.filter} == {"NodeUnschedulable", "TaintToleration"}
    assert profile.score == ()


def test_null_lists_are_as_good_as_absent() -> None:
    assert "profiles" not in converted(policy(predicates=None, priorities=None, extenders=None)).data


@pytest.mark.parametrize(
    ("priorities", "strategy", "weight"),
    [
        pytest.param({"MostRequestedPriority": 2}, "MostAllocated", 2, id="most requested"),
        pytest.param({"LeastRequestedPriority": 2}, None, 2, id="least requested is the default"),
        pytest.param({"LeastRequestedPriority": 1, "MostRequestedPriority": 3}, "MostAllocated", 2, id="what is left"),
        pytest.param(
            {"LeastRequestedPriority": 3, "MostRequestedPriority": 1}, None, 2, id="what is left the other way"
        ),
        pytest.param({"LeastRequestedPriority": 1, "MostRequestedPriority": 1}, None, None, id="both cancel out"),
        pytest.param({"RequestedToCapacityRatioPriority": 4}, "RequestedToCapacityRatio", 4, id="a ratio by its name"),
    ],
)
def test_the_priorities_about_room_are_one_plugin_with_one_way_to_score(
    priorities: dict[str, int], strategy: str | None, weight: int | None
) -> None:
    text = policy(predicates=[], priorities=[{"name": name, "weight": weight} for name, weight in priorities.items()])
    found: Any = args(text, "NodeResourcesFit")
    assert weights(text).get("NodeResourcesFit") == weight
    assert (found and found["scoringStrategy"]["type"]) == strategy
    assert build_profiles(loaded(text))


def test_a_ratio_keeps_its_shape_and_resources() -> None:
    shape = [{"utilization": 0, "score": 0}, {"utilization": 50, "score": 7}]
    arguments = {"shape": shape, "resources": [{"name": "example.com/foo", "weight": 3}, {"name": "cpu"}]}
    text = policy(
        priorities=[{"name": "Mine", "weight": 2, "argument": {"requestedToCapacityRatioArguments": arguments}}]
    )
    assert args(text, "NodeResourcesFit") == {
        "scoringStrategy": {
            "type": "RequestedToCapacityRatio",
            "resources": [{"name": "example.com/foo", "weight": 3}, {"name": "cpu", "weight": 1}],
            "requestedToCapacityRatio": {"shape": shape},
        }
    }
    assert build_profiles(loaded(text))


def test_labels_that_nodes_must_have_are_an_affinity_of_every_pod() -> None:
    text = policy(
        predicates=[
            {"name": "Rack", "argument": {"labelsPresence": {"labels": ["rack", "row"], "presence": True}}},
            {"name": "NotRetiring", "argument": {"labelsPresence": {"labels": ["retiring"], "presence": False}}},
        ]
    )
    rules = [
        {"key": "rack", "operator": "Exists"},
        {"key": "row", "operator": "Exists"},
        {"key": "retiring", "operator": "DoesNotExist"},
    ]
    required = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    assert args(text, "NodeAffinity") == {"addedAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    assert "NodeAffinity" in {plugin.name for plugin in build_profiles(loaded(text))[0].filter}
    assert "NodeAffinity, which requires the labels now" in notes(text)


def test_labels_that_nodes_should_have_are_preferred_and_weigh_as_much() -> None:
    preferences = [("ssd", True, 200), ("spot", False, 1)]
    text = policy(
        priorities=[
            {"name": label, "weight": weight, "argument": {"labelPreference": {"label": label, "presence": presence}}}
            for label, presence, weight in preferences
        ]
        + [{"name": "NodeAffinityPriority", "weight": 5}]
    )
    assert weights(text)["NodeAffinity"] == 206
    assert args(text, "NodeAffinity") == {
        "addedAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "preference": {"matchExpressions": [{"key": "ssd", "operator": "Exists"}]}},
                {"weight": 1, "preference": {"matchExpressions": [{"key": "spot", "operator": "DoesNotExist"}]}},
            ]
        }
    }
    assert build_profiles(loaded(text))


@pytest.mark.parametrize(
    ("priorities", "weight", "defaulting"),
    [
        pytest.param({"SelectorSpreadPriority": 2}, 2, None, id="services and owners are spread by default"),
        pytest.param({"EvenPodsSpreadPriority": 2}, 2, "List", id="only the constraints of pods"),
        pytest.param(
            {"EvenPodsSpreadPriority": 2, "ServiceSpreadingPriority": 3}, 3, None, id="both, the greater weight"
        ),
    ],
)
def test_priorities_that_spread_are_one_plugin(priorities: dict[str, int], weight: int, defaulting: str | None) -> None:
    text = policy(priorities=[{"name": name, "weight": weight} for name, weight in priorities.items()])
    assert weights(text) == {"PodTopologySpread": weight}
    assert args(text, "PodTopologySpread") == ({"defaultingType": defaulting} if defaulting else None)


def test_the_weight_of_hard_affinity_goes_to_the_plugin_that_scores_it() -> None:
    scored = policy(hardPodAffinitySymmetricWeight=10)
    assert args(scored, "InterPodAffinity") == {"hardPodAffinityWeight": 10}
    assert args(EVERPEACE, "InterPodAffinity") is None
    assert "hardPodAffinitySymmetricWeight counted in InterPodAffinityPriority" in notes(EVERPEACE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(30 * 10**9, "30s"), (5e9, "5s"), (100_000_000, "100ms"), (1_500_000_000, "1500ms"), ("5s", "5s"), (1, "1ns")],
)
def test_a_timeout_in_nanoseconds_is_a_duration(given: float | str, expected: str) -> None:
    text = policy(extenders=[extender(httpTimeout=given)])
    assert converted(text).data["extenders"][0]["httpTimeout"] == expected


def test_a_timeout_that_was_perhaps_meant_in_seconds_is_noted() -> None:
    assert "extenders[0].httpTimeout is in nanoseconds" in notes(policy(extenders=[extender(httpTimeout=30)]))


def test_keys_may_be_in_any_case_as_they_were_when_fields_had_no_names_in_json() -> None:
    text = policy(
        extenders=[
            {
                "URLPrefix": "https://extender",
                "BindVerb": "bind",
                "EnableHTTPS": True,
                "TLSConfig": {"Insecure": False, "ServerName": "x", "CertFile": "/c", "KeyFile": "/k", "CAFile": "/ca"},
                "HTTPTimeout": 10**9,
                "ManagedResources": [{"Name": "example.com/foo", "IgnoredByScheduler": True}],
            }
        ]
    )
    assert converted(text).data["extenders"] == [
        {
            "urlPrefix": "https://extender",
            "bindVerb": "bind",
            "tlsConfig": {"serverName": "x", "certFile": "/c", "keyFile": "/k", "caFile": "/ca"},
            "httpTimeout": "1s",
            "managedResources": [{"name": "example.com/foo", "ignoredByScheduler": True}],
            "enableHTTPS": True,
        }
    ]
    assert args(text, "NodeResourcesFit") == {}
    assert loaded(text).extenders[0].tls_config.server_name == "x"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param(EVERPEACE, "EqualPriority: the same for every node; left out.", id="a constant"),
        pytest.param(
            EVERPEACE, "ServiceSpreadingPriority: PodTopologySpread with its default constraints", id="services"
        ),
        pytest.param(TIDB, "NodePreferAvoidPodsPriority: gone, with the annotation", id="avoided nodes"),
        pytest.param(TIDB, "are opposites, whose sum is the same for every node: neither is scored.", id="opposites"),
        pytest.param(policy(alwaysCheckAllPredicates=True), "alwaysCheckAllPredicates is gone", id="all predicates"),
        pytest.param(
            policy(predicates=[{"name": "CheckNodeMemoryPressure"}, {"name": "CheckNodeDiskPressure"}]),
            "CheckNodeMemoryPressure, CheckNodeDiskPressure: a node that is not ready or under pressure has a taint",
            id="pressure",
        ),
        pytest.param(SAMPLE, "No scheduler name was given", id="no name"),
        pytest.param(NODE_INDEX, "pods with resource claims need DynamicResources", id="younger filters"),
    ],
)
def test_what_is_not_the_same_is_noted(text: dict[str, Any], part: str) -> None:
    assert part in notes(text)


def test_the_note_on_weights_compares_then_and_now() -> None:
    assert (
        "extenders[0] with weight 10 gave up to 100 points where the other scores gave 30"
        in converted(NODE_INDEX).weights
    )
    assert "it gives 1000 where they give 300." in converted(NODE_INDEX).weights
    today = converted(SAFE).weights
    assert "extenders[1] with weight 10 gave up to 100 points where the 7 default priorities" in today
    assert "gave 70; it gives 1000 where the default plugins of today give 1200 (TaintToleration 3, " in today
    assert today.endswith("needs a weight greater by 12/7: here 18.")
    assert converted(GPU_SHARE).weights == ""


def test_every_name_leads_to_a_plugin_of_today() -> None:
    assert {name for plugins in PREDICATES.values() for name in plugins} <= DEFAULT_PLUGINS.keys()
    assert set(PRIORITIES.values()) - {""} <= DEFAULT_PLUGINS.keys()


@given(
    st.none() | st.sets(st.sampled_from(sorted(PREDICATES))),
    st.none() | st.dictionaries(st.sampled_from(sorted(PRIORITIES)), st.integers(1, 1000), max_size=6),
)
def test_plugins_filter_and_score_exactly_where_the_policy_says(
    predicates: set[str] | None, priorities: dict[str, int] | None
) -> None:
    ways = {"LeastRequestedPriority", "MostRequestedPriority", "RequestedToCapacityRatioPriority"}
    priorities = priorities and {name: weight for name, weight in priorities.items() if name not in ways}
    lists: dict[str, Any] = {}
    if predicates is not None:
        lists["predicates"] = [{"name": name} for name in sorted(predicates)]
    if priorities is not None:
        lists["priorities"] = [{"name": name, "weight": weight} for name, weight in priorities.items()]
    (profile,) = build_profiles(loaded(policy(**lists))) if lists else build_profiles(Configuration())
    (default,) = build_profiles(Configuration())
    there = {plugin.name for plugin in default.filter} | {one.plugin.name for one in default.score}
    if predicates is not None:
        wanted = {name for one in predicates for name in PREDICATES[one]} | {"NodeUnschedulable", "TaintToleration"}
        assert {plugin.name for plugin in profile.filter} - {"NotYetSupported"} == wanted & there
    if priorities is not None:
        scored = {PRIORITIES[name] for name in priorities} & there
        assert {one.plugin.name for one in profile.score} == scored
