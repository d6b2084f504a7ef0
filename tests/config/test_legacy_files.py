"""Finding a Policy in what people have, and joining it with the configuration that names it."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.legacy_samples import (
    NODE_INDEX,
    PIGEON,
    SAFE,
    SAMPLE,
    args,
    config_map,
    configuration,
    converted,
    loaded,
    manifest,
    notes,
    policy,
)

from roost.config.documents import read_documents
from roost.config.legacy.convert import convert, numbered
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles
from roost.errors import ConfigError

FORMS = [
    pytest.param(json.dumps(SAMPLE), id="JSON"),
    pytest.param(json.dumps(SAMPLE, indent="\t"), id="JSON indented with tabs"),
    pytest.param(
        "extenders:\n- urlPrefix: http://localhost:8888/\n  prioritizeVerb: prioritize\n  weight: 1\n", id="bare"
    ),
    pytest.param(
        "kind: Policy\n" + json.dumps(SAMPLE["extenders"]).join(["extenders: ", "\n"]), id="YAML without a version"
    ),
    pytest.param(json.dumps(config_map("p", "policy.cfg", json.dumps(SAMPLE))), id="a ConfigMap"),
    pytest.param(
        json.dumps(config_map("p", "policy.cfg", json.dumps({"extenders": SAMPLE["extenders"]}))), id="bare in one"
    ),
    pytest.param(
        json.dumps({"kind": "List", "items": [config_map("p", "policy.cfg", json.dumps(SAMPLE))]}), id="a List"
    ),
    pytest.param("---\n" + json.dumps(SAMPLE) + "\n---\n", id="with empty documents around"),
]


@pytest.mark.parametrize("text", FORMS)
def test_a_policy_is_known_in_every_form_that_people_have(text: str) -> None:
    found = load_configuration(text)
    assert [(one.url_prefix, one.prioritize_verb) for one in found.extenders] == [
        ("http://localhost:8888/", "prioritize")
    ]


OTHER = config_map("other-policy", "policy.cfg", json.dumps(PIGEON))


def test_the_configuration_says_which_of_several_policies_is_meant() -> None:
    data = converted(manifest(SAFE), OTHER).data
    assert [one["prioritizeVerb"] for one in data["extenders"]] == [
        "priorities/safe-overload",
        "priorities/safe-balance",
    ]


def test_a_config_map_without_a_namespace_is_in_any() -> None:
    anywhere = config_map("my-scheduler-policy", "policy.cfg", json.dumps(PIGEON), namespace="")
    assert converted(configuration(), anywhere).data["extenders"][0]["prioritizeVerb"] == "priorities/pigeon-holing"


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param(SAMPLE, id="a document"),
        pytest.param(config_map("scheduler-extender", "policy.json", json.dumps(SAMPLE)), id="a key of that name"),
    ],
)
def test_a_policy_file_is_what_stands_beside_the_configuration(beside: dict[str, Any]) -> None:
    source = {"policy": {"file": {"path": "/etc/kubernetes/policy.json"}}, "provider": "DefaultProvider"}
    old = configuration(
        algorithmSource=source, clientConnection={"kubeconfig": "/etc/kubernetes/config/scheduler.conf"}
    )
    found = converted(old, beside)
    assert found.data["clientConnection"] == {"kubeconfig": "/etc/kubernetes/config/scheduler.conf"}
    assert found.data["extenders"][0]["urlPrefix"] == "http://localhost:8888/"
    assert "the policy is what is converted" in "\n".join(found.notes)


def test_a_provider_is_the_default_plugins() -> None:
    found = converted(configuration(algorithmSource={"provider": "DefaultProvider"}), OTHER)
    assert found.data["profiles"] == [{"schedulerName": "my-scheduler"}]
    assert "extenders" not in found.data
    assert "The policy in ConfigMap kube-system/other-policy, policy.cfg is not used" in "\n".join(found.notes)


def test_the_provider_for_the_cluster_autoscaler_fills_nodes() -> None:
    old = configuration(algorithmSource={"provider": "ClusterAutoscalerProvider"})
    assert args(old, "NodeResourcesFit") == {"scoringStrategy": {"type": "MostAllocated"}}
    assert build_profiles(loaded(old))


def test_every_field_of_v1alpha1_has_its_place() -> None:
    old = configuration(
        algorithmSource={"provider": "DefaultProvider"},
        leaderElection={
            "leaderElect": False,
            "leaseDuration": "30s",
            "renewDeadline": "20s",
            "retryPeriod": "5s",
            "resourceLock": "endpoints",
        },
        clientConnection={"qps": 100, "burst": 200, "contentType": "application/json"},
        hardPodAffinitySymmetricWeight=5,
        disablePreemption=True,
        bindTimeoutSeconds=100,
        percentageOfNodesToScore=50,
        podInitialBackoffSeconds=2,
        podMaxBackoffSeconds=20,
        enableProfiling=True,
        enableContentionProfiling=False,
        healthzBindAddress="0.0.0.0:10251",
        metricsBindAddress="0.0.0.0:10251",
        failureDomains="kubernetes.io/hostname",
    )
    assert converted(old).data == {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"qps": 100, "burst": 200, "contentType": "application/json"},
        "leaderElection": {
            "leaderElect": False,
            "leaseDuration": "30s",
            "renewDeadline": "20s",
            "retryPeriod": "5s",
        },
        "enableProfiling": True,
        "enableContentionProfiling": False,
        "percentageOfNodesToScore": 50,
        "podInitialBackoffSeconds": 2,
        "podMaxBackoffSeconds": 20,
        "profiles": [
            {
                "schedulerName": "my-scheduler",
                "plugins": {"multiPoint": {"disabled": [{"name": "DefaultPreemption"}]}},
                "pluginConfig": [
                    {"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 100}},
                    {"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": 5}},
                ],
            }
        ],
    }
    assert build_profiles(loaded(old))
    assert {"healthzBindAddress", "failureDomains"} <= set(notes(old).replace(".", " ").split())


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        pytest.param(
            [config_map("a", "policy.cfg", json.dumps(SAFE)), config_map("b", "policy.cfg", json.dumps(PIGEON))],
            "there are 2 policies, in ConfigMap kube-system/a, policy.cfg and ConfigMap kube-system/b, policy.cfg; "
            "leave only the one you mean",
            id="two policies and no configuration",
        ),
        pytest.param(
            [configuration(), configuration()],
            "there are 2 configurations of v1alpha1, in document 1 and document 2; leave only the one you mean",
            id="two configurations",
        ),
        pytest.param(
            [configuration(), OTHER],
            "document 1: algorithmSource.policy.configMap: the ConfigMap kube-system/my-scheduler-policy is not here; "
            "there is ConfigMap kube-system/other-policy, policy.cfg; name the file it is in as well",
            id="another policy than the one that is named",
        ),
    ],
)
def test_it_is_not_guessed_which_of_several_is_meant(documents: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration("\n---\n".join(json.dumps(one) for one in documents))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []", id="a policy for audits"),
        pytest.param("apiVersion: v1\nkind: ConfigMap\ndata: {nginx.conf: 'server { }'}", id="another ConfigMap"),
        pytest.param("apiVersion: v1\nkind: ConfigMap\nmetadata:\ndata:", id="an empty ConfigMap"),
        pytest.param("extenders: []\nprofiles: []", id="a configuration that lost its head"),
    ],
)
def test_other_documents_are_not_policies(text: str) -> None:
    assert convert(numbered(read_documents(text))) is None


def test_a_configuration_of_today_is_left_alone() -> None:
    today = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    assert convert(numbered([today, OTHER])) is None


def test_a_run_takes_a_policy_and_says_how_to_convert_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(NODE_INDEX))
    with caplog.at_level(logging.INFO):
        load_configuration(file)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "is converted; `roost config convert FILE` prints it" in warning
    assert "EqualPriority: the same for every node; left out." in caplog.messages


WORDS = [
    *("kind", "apiVersion", "Policy", "v1", "KubeSchedulerConfiguration", "kubescheduler.config.k8s.io/v1alpha1"),
    *("ConfigMap", "List", "items", "data", "metadata", "name", "namespace", "policy.cfg", "kind: Policy"),
    *("predicates", "priorities", "extenders", "argument", "labelsPresence", "weight", "HostName", "EqualPriority"),
    *(
        "urlPrefix",
        "URLPrefix",
        "httpTimeout",
        "tlsConfig",
        "managedResources",
        "algorithmSource",
        "policy",
        "configMap",
    ),
]
LEAVES = st.none() | st.booleans() | st.integers(-2, 11) | st.floats() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.integers(0, 1), inner, max_size=4)
    ),
    max_leaves=12,
)
HEADS = st.sampled_from(
    [{}, policy(), configuration(), {"kind": "ConfigMap"}, {"kind": "List"}, {"kind": "Policy", "apiVersion": None}]
)


@given(st.lists(st.tuples(HEADS, ANYTHING), min_size=1, max_size=3))
def test_whatever_stands_in_a_document_the_answer_is_a_configuration_or_a_sentence(given_documents: Any) -> None:
    documents = [head | body if isinstance(body, dict) else body for head, body in given_documents]
    try:
        found = convert(numbered(documents))
    except ConfigError:
        return
    assert found is None or found.data["kind"] == "KubeSchedulerConfiguration"
