"""Policies and manifests of schedulers that came with an extender, and what they become, for the tests beside."""

import json
from typing import Any

import pytest

from roost.config.configuration import Configuration
from roost.config.documents import read_documents
from roost.config.legacy.convert import Converted, convert, numbered
from roost.config.load import load_configuration

FIVE_PREDICATES = ["PodFitsHostPorts", "PodFitsResources", "NoDiskConflict", "MatchNodeSelector", "HostName"]
FOUR_PRIORITIES = [
    "LeastRequestedPriority",
    "BalancedResourceAllocation",
    "ServiceSpreadingPriority",
    "EqualPriority",
]
LISTS: dict[str, Any] = {
    "predicates": [{"name": name} for name in FIVE_PREDICATES],
    "priorities": [{"name": name, "weight": 1} for name in FOUR_PRIORITIES],
}


def policy(**fields: Any) -> dict[str, Any]:
    return {"kind": "Policy", "apiVersion": "v1"} | fields


def extender(
    prioritize: str = "", weight: int = 1, url: str = "http://localhost/scheduler", **more: Any
) -> dict[str, Any]:
    verbs = {"filterVerb": "", "prioritizeVerb": prioritize, "preemptVerb": "", "bindVerb": ""}
    return {"urlPrefix": url} | verbs | {"weight": weight, "enableHttps": False, "nodeCacheCapable": False} | more


def config_map(name: str, key: str, text: str, namespace: str = "kube-system") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}


def configuration(version: str = "kubescheduler.config.k8s.io/v1alpha1", **fields: Any) -> dict[str, Any]:
    source = {"policy": {"configMap": {"namespace": "kube-system", "name": "my-scheduler-policy"}}}
    lock = {"leaderElect": True, "lockObjectName": "my-scheduler", "lockObjectNamespace": "kube-system"}
    said = {"schedulerName": "my-scheduler", "algorithmSource": source, "leaderElection": lock}
    return {"apiVersion": version, "kind": "KubeSchedulerConfiguration"} | said | fields


def manifest(text: dict[str, Any], version: str = "kubescheduler.config.k8s.io/v1alpha1", **fields: Any) -> str:
    """Return what schedulers with an extender shipped: two ConfigMaps and a Deployment in one file."""
    documents = [
        config_map("my-scheduler-config", "config.yaml", json.dumps(configuration(version, **fields))),
        config_map("my-scheduler-policy", "policy.cfg", json.dumps(text, indent=1)),
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "my-scheduler"}, "spec": {"replicas": 1}},
    ]
    return "\n---\n".join(json.dumps(one, indent=1) for one in documents)


EVERPEACE = policy(
    **LISTS,
    extenders=[
        extender(
            "priorities/zero_score", filterVerb="predicates/always_true", preemptVerb="preemption", apiVersion="v1beta1"
        )
    ],
    hardPodAffinitySymmetricWeight=10,
)
NODE_INDEX = policy(**LISTS, extenders=[extender("priorities/node_index", 10, ignorable=False)])
SAFE = policy(
    extenders=[
        extender("priorities/safe-overload", 1, filterVerb="predicates/safe-overload"),
        extender("priorities/safe-balance", 10),
    ]
)
CONGESTION = policy(extenders=[extender("priorities/congestion", 10)])
PIGEON = policy(extenders=[extender("priorities/pigeon-holing", 10)])
SAFE_AND_CONGESTION = policy(
    extenders=[
        extender(
            "priorities/safe-overload", 1, "http://localhost:5401/scheduler", filterVerb="predicates/safe-overload"
        ),
        extender("priorities/congestion", 1, "http://localhost:5402/scheduler"),
    ]
)
SAMPLE = policy(extenders=[extender("prioritize", 1, "http://localhost:8888/", filterVerb="filter")])
GPU_SHARE = policy(
    extenders=[
        {
            "urlPrefix": "http://127.0.0.1:32766/gpushare-scheduler",
            "filterVerb": "filter",
            "bindVerb": "bind",
            "enableHttps": False,
            "nodeCacheCapable": True,
            "managedResources": [{"name": "aliyun.com/gpu-mem", "ignoredByScheduler": False}],
            "ignorable": False,
        }
    ]
)
TIDB = policy(
    predicates=[{"name": name} for name in ["MatchInterPodAffinity", "CheckVolumeBinding", "GeneralPredicates"]],
    priorities=[
        {"name": name, "weight": 1}
        for name in [
            "LeastRequestedPriority",
            "SelectorSpreadPriority",
            "NodePreferAvoidPodsPriority",
            "MostRequestedPriority",
        ]
    ],
    extenders=[
        {
            "urlPrefix": "http://127.0.0.1:10262/scheduler",
            "filterVerb": "filter",
            "weight": 1,
            "httpTimeout": 30 * 10**9,
        }
    ],
)
REPLACED = [
    pytest.param(manifest(EVERPEACE), id="everpeace"),
    pytest.param(manifest(NODE_INDEX, "componentconfig/v1alpha1"), id="node_index"),
    pytest.param(manifest(SAFE), id="safe"),
    pytest.param(manifest(CONGESTION), id="congestion"),
    pytest.param(manifest(PIGEON), id="pigeon"),
    pytest.param(manifest(SAFE_AND_CONGESTION), id="safe and congestion"),
]


def converted(*texts: object) -> Converted:
    """Convert documents; texts are read, anything else is taken as it is."""
    documents = [one for text in texts for one in (read_documents(text) if isinstance(text, str) else [text])]
    found = convert(numbered(documents))
    assert found is not None
    return found


def loaded(*texts: object) -> Configuration:
    return load_configuration(json.dumps(converted(*texts).data))


def plugins_of(text: dict[str, Any]) -> dict[str, Any]:
    (profile,) = converted(text).data["profiles"]
    plugins: dict[str, Any] = profile["plugins"]
    return plugins


def names(plugins: dict[str, Any], point: str, kind: str) -> list[str]:
    return [entry["name"] for entry in plugins.get(point, {}).get(kind, [])]


def weights(text: dict[str, Any]) -> dict[str, int]:
    """Return what scores and with what weight, as a profile of ours does it."""
    entries = plugins_of(text)["multiPoint"].get("enabled", [])
    return {entry["name"]: entry["weight"] for entry in entries if "weight" in entry}


def args(text: dict[str, Any], plugin: str) -> object:
    (profile,) = converted(text).data["profiles"]
    return {config["name"]: config["args"] for config in profile.get("pluginConfig", [])}.get(plugin)


def notes(*texts: object) -> str:
    return "\n".join(converted(*texts).notes)
