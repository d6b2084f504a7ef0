"""KubeSchedulerConfiguration v1alpha1, which named a Policy or a provider: read as types, turned into fields of v1."""

from typing import Any

import msgspec

from roost.config.configuration import ClientConnection, Section
from roost.config.decode import at
from roost.config.legacy.profile import Data, ProfileDraft

API_VERSIONS = ("componentconfig/v1alpha1", "kubescheduler.config.k8s.io/v1alpha1")
PROVIDERS = ("DefaultProvider", "ClusterAutoscalerProvider")

_SAME = (
    "enableProfiling",
    "enableContentionProfiling",
    "percentageOfNodesToScore",
    "podInitialBackoffSeconds",
    "podMaxBackoffSeconds",
)
"""Fields that are the same in v1."""


class PolicyFile(Section, frozen=True):
    """A policy in a file, by its path where the scheduler ran."""

    path: str = ""


class PolicyConfigMap(Section, frozen=True):
    """A policy in a ConfigMap, under the key policy.cfg."""

    namespace: str = ""
    name: str = ""


class PolicySource(Section, frozen=True):
    """Where the policy is."""

    file: PolicyFile | None = None
    config_map: PolicyConfigMap | None = None


class AlgorithmSource(Section, frozen=True):
    """What decides: a policy, or a provider by its name."""

    policy: PolicySource | None = None
    provider: str = ""


class LegacyLeaderElection(Section, frozen=True):
    """Leader election, with the names that the lock had then; durations stay as they are written."""

    leader_elect: bool | None = None
    lease_duration: str | None = None
    renew_deadline: str | None = None
    retry_period: str | None = None
    resource_lock: str = ""
    lock_object_name: str = ""
    lock_object_namespace: str = ""
    resource_name: str = ""
    resource_namespace: str = ""


class LegacyConfiguration(Section, frozen=True):
    """A whole configuration."""

    api_version: str
    kind: str
    scheduler_name: str = ""
    algorithm_source: AlgorithmSource = AlgorithmSource()
    hard_pod_affinity_symmetric_weight: int = 0
    leader_election: LegacyLeaderElection = LegacyLeaderElection()
    client_connection: ClientConnection = ClientConnection()
    healthz_bind_address: str = ""
    metrics_bind_address: str = ""
    enable_profiling: bool | None = None
    enable_contention_profiling: bool | None = None
    disable_preemption: bool = False
    percentage_of_nodes_to_score: int | None = None
    bind_timeout_seconds: int | None = None
    pod_initial_backoff_seconds: int | None = None
    pod_max_backoff_seconds: int | None = None
    failure_domains: str = ""
    plugins: dict[str, Any] | None = None
    plugin_config: tuple[Any, ...] = ()


def convert_fields(old: LegacyConfiguration, draft: ProfileDraft) -> Data:
    """Return the fields of v1 outside of profiles; what is about plugins goes into the draft."""
    _draft_plugins(old, draft)
    if old.healthz_bind_address or old.metrics_bind_address:
        draft.note(
            "healthzBindAddress and metricsBindAddress are gone: kube-scheduler serves both with TLS on --secure-port, "
            "roost run on --health-address."
        )
    if old.failure_domains:
        draft.note("failureDomains is gone.")
    given = msgspec.to_builtins(old)
    said = {
        "clientConnection": {key: value for key, value in given["clientConnection"].items() if value},
        "leaderElection": _election(old.leader_election, draft),
    }
    same = {key: given[key] for key in _SAME if given[key] is not None}
    return {key: value for key, value in said.items() if value} | same


def _draft_plugins(old: LegacyConfiguration, draft: ProfileDraft) -> None:
    for field, given in (("plugins", old.plugins), ("pluginConfig", old.plugin_config)):
        if given:
            raise at(
                field, "the plugins of v1alpha1 are not converted; remove the field, and add them to the profile of v1"
            )
    provider = old.algorithm_source.provider
    if provider and provider not in PROVIDERS:
        raise at("algorithmSource.provider", f"unknown provider {provider}; known are {', '.join(PROVIDERS)}")
    if provider == "ClusterAutoscalerProvider" and old.algorithm_source.policy is None:
        draft.args["NodeResourcesFit"] = {"scoringStrategy": {"type": "MostAllocated"}}
    if old.bind_timeout_seconds is not None:
        draft.args["VolumeBinding"] = {"bindTimeoutSeconds": old.bind_timeout_seconds}
    draft.preempts = not old.disable_preemption


def _election(old: LegacyLeaderElection, draft: ProfileDraft) -> Data:
    said = {
        "leaderElect": old.leader_elect,
        "leaseDuration": old.lease_duration,
        "renewDeadline": old.renew_deadline,
        "retryPeriod": old.retry_period,
        "resourceName": old.lock_object_name or old.resource_name or None,
        "resourceNamespace": old.lock_object_namespace or old.resource_namespace or None,
    }
    if old.leader_elect and old.resource_lock != "leases":
        draft.note(
            "Leader election uses a Lease: the scheduler needs the rights to create, get and update leases of "
            "coordination.k8s.io."
        )
    return {key: value for key, value in said.items() if value is not None}
