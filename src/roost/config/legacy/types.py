"""A scheduler Policy, the format that Kubernetes removed in 1.23, as types; its keys are read in any case, as then.

A few fields were written without care for case for years (`BindVerb`, `TLSConfig`), so files with either exist.
"""

from types import NoneType
from typing import Any, get_args

from msgspec import Struct, field
from msgspec.structs import fields

from roost.config.configuration import ExtenderTLS, ManagedResource, Section
from roost.config.decode import at, decode


class ServiceAffinity(Section, frozen=True):
    """Keep the pods of a service on nodes with the same values of some labels."""

    labels: tuple[str, ...] = ()


class LabelsPresence(Section, frozen=True):
    """Only nodes that have some labels, or that lack them."""

    labels: tuple[str, ...] = ()
    presence: bool = False


class PredicateArgument(Section, frozen=True):
    """What makes a predicate of one's own; one field is given."""

    service_affinity: ServiceAffinity | None = None
    labels_presence: LabelsPresence | None = None


class Predicate(Section, frozen=True):
    """A filter by its name; with an argument the name is free."""

    name: str
    argument: PredicateArgument | None = None


class ServiceAntiAffinity(Section, frozen=True):
    """Spread the pods of a service over the values of a label."""

    label: str = ""


class LabelPreference(Section, frozen=True):
    """Prefer nodes that have a label, or that lack it."""

    label: str = ""
    presence: bool = False


class ShapePoint(Section, frozen=True):
    """The score (0 to 10) at a utilization in percent."""

    utilization: int = 0
    score: int = 0


class WeightedResource(Section, frozen=True):
    """How much a resource counts."""

    name: str
    weight: int = 1


class RequestedToCapacityRatioArguments(Section, frozen=True):
    """Score by how full a node is."""

    shape: tuple[ShapePoint, ...] = ()
    resources: tuple[WeightedResource, ...] = ()


class PriorityArgument(Section, frozen=True):
    """What makes a priority of one's own; one field is given."""

    service_anti_affinity: ServiceAntiAffinity | None = None
    label_preference: LabelPreference | None = None
    requested_to_capacity_ratio_arguments: RequestedToCapacityRatioArguments | None = None


class Priority(Section, frozen=True):
    """A score by its name; with an argument the name is free."""

    name: str
    weight: int = 0
    argument: PriorityArgument | None = None


class PolicyExtender(Section, frozen=True):
    """A webhook; `apiVersion` chose between versions of the messages until 1.5, and was carried along for years."""

    url_prefix: str
    api_version: str = ""
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    weight: int = 0
    bind_verb: str = ""
    enable_https: bool = field(default=False, name="enableHttps")
    tls_config: ExtenderTLS | None = None
    http_timeout: int | float | str = 0
    node_cache_capable: bool = False
    managed_resources: tuple[ManagedResource, ...] = ()
    ignorable: bool = False


class Policy(Section, frozen=True):
    """A whole policy; a list that is None is absent, which is not the same as empty."""

    api_version: str = "v1"
    kind: str = "Policy"
    predicates: tuple[Predicate, ...] | None = None
    priorities: tuple[Priority, ...] | None = None
    extenders: tuple[PolicyExtender, ...] = ()
    hard_pod_affinity_symmetric_weight: int = 0
    always_check_all_predicates: bool = False


POLICY_FIELDS = frozenset(one.encode_name.lower() for one in fields(Policy)) - {"apiversion", "kind"}
"""The fields that tell a policy without apiVersion and kind from other documents, in lower case."""


def read_policy(data: object) -> Policy:
    """Return plain data as a policy; raises ConfigError with the field that is wrong."""
    return decode(_spelled(data, Policy, ""), Policy)


def _spelled(data: object, wanted: Any, path: str) -> object:
    """Return data with its keys as the types spell them."""
    if isinstance(data, list):
        return [_spelled(item, wanted, f"{path}[{i}]") for i, item in enumerate(data)]
    struct = _struct_in(wanted)
    if not isinstance(data, dict) or struct is None:
        return data
    known = {one.encode_name.lower(): one for one in fields(struct)}
    spelled: dict[object, object] = {}
    for key, value in data.items():
        one = known.get(str(key).lower())
        name = one.encode_name if one else key
        where = f"{path}.{name}" if path else str(name)
        if name in spelled:
            raise at(where, "stands here twice, in different cases")
        spelled[name] = _spelled(value, one.type, where) if one else value
    return spelled


def _struct_in(wanted: Any) -> type[Struct] | None:
    """Return the struct in a type such as `tuple[Struct, ...] | None`."""
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return wanted
    inner = [one for one in get_args(wanted) if one not in (NoneType, ...)]
    return _struct_in(inner[0]) if len(inner) == 1 else None
