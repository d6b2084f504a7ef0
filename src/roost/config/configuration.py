"""KubeSchedulerConfiguration v1 as types: every field that kube-scheduler knows, so that its files can be used as is.

Fields that Roost has no use for are kept and checked all the same: a typing error in them is still an error. The
defaults are kube-scheduler's, except for leader election (see `LeaderElection`) and the scheduler name. The one field
that is Roost's own is `tieBreak`.
"""

import re
from typing import Any

from msgspec import Struct, field
from msgspec.structs import fields

from roost.framework.profile import Tie

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"
SCHEDULER_NAME = "roost"
LEASE_NAMESPACE = "roost-system"

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEP = r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)"


class Duration(float):
    """A number of seconds, written as Go writes durations: 15s, 1m30s, 500ms."""

    @classmethod
    def parse(cls, text: object) -> "Duration":
        """Return the duration a text spells; raises ValueError if it spells none."""
        if not isinstance(text, str) or not re.fullmatch(f"({_STEP})+", text):
            raise ValueError(f"{text!r} is not a duration such as 15s or 1m30s")
        return cls(sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_STEP, text)))


class Section(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A mapping of the configuration; what it does not know is an error."""


class ClientConnection(Section, frozen=True):
    """How to reach the API server. Only `kubeconfig` is of use here: Roost speaks JSON and does not throttle itself."""

    kubeconfig: str = ""
    accept_content_types: str = ""
    content_type: str = ""
    qps: float = 0.0
    burst: int = 0


class LeaderElection(Section, frozen=True):
    """Who of several replicas schedules.

    Off unless asked for, and the lease is Roost's own: with kube-scheduler's defaults the two would take turns.
    """

    leader_elect: bool = False
    lease_duration: Duration = Duration(15)
    renew_deadline: Duration = Duration(10)
    retry_period: Duration = Duration(2)
    resource_lock: str = "leases"
    resource_name: str = SCHEDULER_NAME
    resource_namespace: str = LEASE_NAMESPACE


class PluginEntry(Section, frozen=True):
    """A plugin by its name; the weight counts where it scores, and no weight (or 0) is a weight of 1."""

    name: str
    weight: int = 0


class PluginSet(Section, frozen=True):
    """What an extension point has beyond the default plugins, and what it lacks of them."""

    enabled: tuple[PluginEntry, ...] = ()
    disabled: tuple[PluginEntry, ...] = ()


class Plugins(Section, frozen=True):
    """The plugins of a profile by extension point; `multi_point` stands for every point that a plugin implements."""

    multi_point: PluginSet = PluginSet()
    pre_enqueue: PluginSet = PluginSet()
    queue_sort: PluginSet = PluginSet()
    pre_filter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    post_filter: PluginSet = PluginSet()
    pre_score: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    pre_bind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    post_bind: PluginSet = PluginSet()
    placement_generate: PluginSet = PluginSet()
    placement_score: PluginSet = PluginSet()

    def at(self, point: str) -> PluginSet:
        """Return the set of an extension point by its name in the configuration."""
        found: PluginSet = getattr(self, FIELD_OF[point])
        return found


FIELD_OF = {one.encode_name: one.name for one in fields(Plugins)}
"""The names of extension points in the configuration (preFilter), and as attributes (pre_filter)."""


class PluginConfig(Section, frozen=True):
    """The arguments of one plugin, as they are written: the plugin's own type reads them."""

    name: str
    args: dict[str, Any] = {}


class ProfileConfiguration(Section, frozen=True):
    """One profile: which plugins decide for the pods of a scheduler name."""

    scheduler_name: str | None = None
    percentage_of_nodes_to_score: int = 100
    plugins: Plugins = Plugins()
    plugin_config: tuple[PluginConfig, ...] = ()
    tie_break: Tie = "first"


class ManagedResource(Section, frozen=True):
    """A resource that an extender looks after."""

    name: str
    ignored_by_scheduler: bool = False


class ExtenderTLS(Section, frozen=True):
    """TLS towards an extender."""

    insecure: bool = False
    server_name: str = ""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    cert_data: str = ""
    key_data: str = ""
    ca_data: str = ""


class Extender(Section, frozen=True):
    """A webhook that takes part in decisions."""

    url_prefix: str
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    weight: int = 0
    bind_verb: str = ""
    enable_https: bool = field(default=False, name="enableHTTPS")
    tls_config: ExtenderTLS = ExtenderTLS()
    http_timeout: Duration = Duration(5)
    node_cache_capable: bool = False
    managed_resources: tuple[ManagedResource, ...] = ()
    ignorable: bool = False


class Configuration(Section, frozen=True):
    """A whole configuration."""

    api_version: str = API_VERSION
    kind: str = KIND
    parallelism: int = 16
    leader_election: LeaderElection = LeaderElection()
    client_connection: ClientConnection = ClientConnection()
    enable_profiling: bool = False
    enable_contention_profiling: bool = False
    percentage_of_nodes_to_score: int = 100
    pod_initial_backoff_seconds: int = 1
    pod_max_backoff_seconds: int = 10
    profiles: tuple[ProfileConfiguration, ...] = ()
    extenders: tuple[Extender, ...] = ()
    delay_cache_until_active: bool = False
