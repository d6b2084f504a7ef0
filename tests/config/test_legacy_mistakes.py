"""The exact sentence about each Policy that cannot be used."""

import json
from typing import Any

import pytest
from tests.config.legacy_samples import SAMPLE, config_map, configuration, extender, policy

from roost.config.load import load_configuration
from roost.errors import ConfigError


def entry(kind: str, **fields: Any) -> dict[str, Any]:
    return policy(**{kind: [fields]})


MISTAKES = [
    (
        entry("predicates", name="PodFitsResource"),
        "predicates[0].name: unknown predicate PodFitsResource; did you mean PodFitsResources?",
    ),
    (
        entry("priorities", name="LeastRequested", weight=1),
        "priorities[0].name: unknown priority LeastRequested; did you mean LeastRequestedPriority?",
    ),
    (entry("priorities", name="EqualPriority"), "priorities[0].weight: must be from 1 to 2147483647"),
    (entry("priorities", name="EqualPriority", weight=2**31), "priorities[0].weight: must be from 1 to 2147483647"),
    (
        policy(priorities=[{"name": "EqualPriority", "weight": 1}] * 2),
        "priorities[1].name: EqualPriority stands in this list twice",
    ),
    (
        entry("predicates", name="Mine", argument={"serviceAffinity": {"labels": ["region", "zone"]}}),
        "predicates[0].argument.serviceAffinity: this filter was removed in Kubernetes 1.23, and no other does the "
        "same; remove the predicate, and give the pods an affinity to each other with the topologyKey region, zone",
    ),
    (
        entry("predicates", name="Mine", argument={}),
        "predicates[0].argument: must have one field, serviceAffinity or labelsPresence",
    ),
    (
        entry("predicates", name="Mine", argument={"labelPresence": {}}),
        "predicates[0].argument.labelPresence: unknown field; did you mean labelsPresence?",
    ),
    (
        entry("priorities", name="Mine", weight=1, argument={"serviceAntiAffinity": {"label": "zone"}}),
        "priorities[0].argument.serviceAntiAffinity: this score was removed in Kubernetes 1.23, and no other is the "
        "same; remove the priority, and give PodTopologySpread a constraint in its defaultConstraints with the "
        "topologyKey zone",
    ),
    (
        entry("priorities", name="Mine", weight=1, argument={}),
        "priorities[0].argument: must have one field, serviceAntiAffinity, labelPreference or "
        "requestedToCapacityRatioArguments",
    ),
    (
        policy(
            priorities=[
                {"name": "RequestedToCapacityRatioPriority", "weight": 1},
                {"name": "LeastRequestedPriority", "weight": 1},
            ]
        ),
        "priorities: LeastRequestedPriority, MostRequestedPriority and requestedToCapacityRatioArguments are all "
        "scored by NodeResourcesFit today, which scores in one way only; keep one of them",
    ),
    (policy(hardPodAffinitySymmetricWeight=101), "hardPodAffinitySymmetricWeight: must be from 1 to 100"),
    (policy(predicate=[]), "predicate: unknown field; did you mean predicates?"),
    (policy(predicates={}), "predicates: is a mapping, not a list"),
    (policy(extenders=[{"filterVerb": "filter"}]), "extenders[0].urlPrefix: is missing"),
    (
        policy(extenders=[extender() | {"WEIGHT": 2}]),
        "extenders[0].weight: stands here twice, in different cases",
    ),
    (
        policy(extenders=[extender(httpTimeout=-1)]),
        "extenders[0].httpTimeout: must be a whole number of nanoseconds, such as 5000000000 for 5 seconds",
    ),
    (
        policy(extenders=[extender(httpTimeout="soon")]),
        "extenders[0].httpTimeout: 'soon' is not a duration such as 15s or 1m30s",
    ),
    (
        policy(extenders=[extender("prioritize", weight=0)]),
        "extenders[0].weight: must be greater than 0 where there is a prioritizeVerb",
    ),
    (
        policy(extenders=[extender(bindVerb="bind"), extender(bindVerb="bind")]),
        "extenders[1].bindVerb: only one extender can bind, and extenders[0] does",
    ),
    (
        policy(extenders=[extender(managedResources=[{"name": "cpu"}])]),
        "extenders[0].managedResources[0].name: 'cpu' is not the name of an extended resource, such as example.com/gpu",
    ),
    (
        policy(extenders=[extender(managedResources=[{"name": "example.com/a"}] * 2)]),
        "extenders[0].managedResources[1].name: example.com/a is managed by extenders[0] already",
    ),
    (
        configuration(),
        "algorithmSource.policy.configMap: the ConfigMap kube-system/my-scheduler-policy is not here; "
        "name the file it is in as well",
    ),
    (
        configuration(algorithmSource={"policy": {"file": {"path": "/etc/k/policy.json"}}}),
        "algorithmSource.policy.file: /etc/k/policy.json is not here; name both files: "
        "roost config convert CONFIGURATION policy.json",
    ),
    (
        configuration(algorithmSource={"provider": "Default"}),
        "algorithmSource.provider: unknown provider Default; known are DefaultProvider, ClusterAutoscalerProvider",
    ),
    (
        configuration(algorithmSource={}, plugins={"score": {}}),
        "plugins: the plugins of v1alpha1 are not converted; remove the field, and add them to the profile of v1",
    ),
    (configuration(schedulerNames="a"), "schedulerNames: unknown field; did you mean schedulerName?"),
    (
        config_map("p", "policy.cfg", "kind: [unfinished"),
        "ConfigMap kube-system/p, policy.cfg: line 2, column 1: no valid YAML: while parsing a flow sequence, "
        "did not find expected ',' or ']'",
    ),
    (
        config_map("p", "policy.cfg", json.dumps(entry("predicates", name="HostNam"))),
        "ConfigMap kube-system/p, policy.cfg: predicates[0].name: unknown predicate HostNam; did you mean HostName?",
    ),
    (
        config_map("p", "policy.cfg", "a: 1"),
        "ConfigMap kube-system/p, policy.cfg: holds no policy: a mapping with kind Policy and extenders or the like "
        "is expected",
    ),
    (
        config_map("p", "policy.cfg", "") | {"data": {"policy.cfg": SAMPLE}},
        "ConfigMap kube-system/p, policy.cfg: is not a text; write | after the key, and the policy indented below it",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES, ids=[sentence[:60] for _, sentence in MISTAKES])
def test_a_mistake_is_one_sentence_that_starts_with_the_field(text: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(json.dumps(text))
    assert str(caught.value) == sentence
