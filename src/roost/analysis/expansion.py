"""Manifests as the pods that their controllers would make: Deployments, ReplicaSets, StatefulSets, Jobs, and pods.

What the API server would fill in and scheduling reads is filled in here: the namespace, the schedulerName, the
priority, requests from limits, host ports on the host's network, the claims of a StatefulSet.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from roost.api.controllers import PodGrouping, ReplicaSet, ReplicationController, Service, StatefulSet
from roost.api.meta import ObjectMeta, OwnerReference
from roost.api.pod import Container, Pod, PodSpec
from roost.api.storage import PersistentVolumeClaim
from roost.api.volumes import ClaimSource, Volume
from roost.errors import InvalidObject

Manifest = Mapping[str, Any]

_API = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1",
    "ReplicationController": "v1",
}  # fmt: skip
_GROUPINGS: Mapping[str, type[PodGrouping]] = {
    "Deployment": ReplicaSet, "ReplicaSet": ReplicaSet, "StatefulSet": StatefulSet,
    "ReplicationController": ReplicationController, "Service": Service,
}  # fmt: skip
_ADDING = "add takes what is not there yet"
CLAIM = "PersistentVolumeClaim"
_NO_PRIORITIES: Mapping[str, int] = MappingProxyType({})
_MAKES_MORE = {"DaemonSet": "which puts a pod on each node", "CronJob": "which makes its pods later"}


class Expanded(Struct):
    """Pods on no node, in the order of the manifests; what selects them; their claims; what was passed over."""

    pods: list[Pod] = []
    groupings: list[PodGrouping] = []
    claims: list[PersistentVolumeClaim] = []
    notes: list[str] = []


def expand(
    objects: Iterable[Pod | Manifest],
    known: Collection[tuple[str, str, str]] = (),
    priorities: Mapping[str, int] = _NO_PRIORITIES,
) -> Expanded:
    """Return the pods that objects bring.

    `known` names (kind, namespace, name) what there is already; `priorities` are those of PriorityClasses by name, ""
    for the default. Raises InvalidObject for what cannot be read, and for what there is already: adding is not
    updating.
    """
    expanded, taken = Expanded(), set(known)
    for one in _without_lists(objects):
        found = _Given.of(one)
        if (found.kind, found.namespace, found.name) in taken:
            raise InvalidObject(f"{found.label} exists already: {_ADDING}")
        taken.add((found.kind, found.namespace, found.name))
        if found.kind in _MAKES_MORE:
            expanded.notes.append(f"{found.label} is left out, {_MAKES_MORE[found.kind]}.")
        expanded.groupings += found.groupings()
        pods = [_with_priority(pod, priorities) for pod in found.pods(taken)]
        expanded.claims += found.claims(pods, taken)
        expanded.pods += pods
        taken |= {("Pod", pod.namespace, pod.name) for pod in pods}
    return expanded


class _Given(Struct, frozen=True):
    """An object of a manifest, or a pod that is one already."""

    kind: str
    namespace: str
    name: str
    data: Manifest
    pod: Pod | None = None

    @classmethod
    def of(cls, given: Pod | Manifest) -> "_Given":
        if isinstance(given, Pod):
            return cls("Pod", given.namespace or "default", given.name, {}, given)
        kind, metadata = given.get("kind"), given.get("metadata")
        if not isinstance(kind, str):
            raise InvalidObject("an object has no kind: apiVersion, kind and metadata are expected")
        if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
            raise InvalidObject(f"an object of kind {kind} has no metadata.name")
        return cls(kind, metadata.get("namespace") or "default", metadata["name"], given)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def _new_name(self) -> str:
        """Return a name that nothing in a cluster can have."""
        return f"{self.name} (new)"

    def groupings(self) -> Iterator[PodGrouping]:
        """Yield what says which pods belong together, for a Deployment its ReplicaSet."""
        if self.kind in _GROUPINGS:
            found: PodGrouping = self._read(_GROUPINGS[self.kind], self.data)
            yield replace(found, metadata=replace(found.metadata, namespace=self.namespace, name=self._new_name))

    def pods(self, taken: Collection[tuple[str, str, str]]) -> Iterator[Pod]:
        if self.pod is not None:
            yield self._named(self.pod, self.name, self.pod.metadata.owner_references)
        elif self.kind == "Pod":
            pod = self._from(self.data)
            yield self._named(pod, self.name, pod.metadata.owner_references)
        elif self.kind in _API:
            template = self._from(self._template())
            owners = (self._owner(),)
            for name in self._names(taken):
                yield self._with_claims(self._named(template, name, owners))

    def claims(self, pods: Iterable[Pod], taken: Collection[tuple[str, str, str]]) -> Iterator[PersistentVolumeClaim]:
        """Yield the claim that this is, or those of the pods of a StatefulSet that are not there yet."""
        if self.kind == CLAIM:
            yield self._claim(self.data, self.name)
        for pod in pods:
            for template in self._claim_templates():
                name = f"{template['metadata']['name']}-{pod.name}"
                if (CLAIM, self.namespace, name) not in taken:
                    yield self._claim(template, name)

    def _claim(self, data: Manifest, name: str) -> PersistentVolumeClaim:
        claim: PersistentVolumeClaim = self._read(PersistentVolumeClaim, data)
        metadata = replace(claim.metadata, name=name, namespace=self.namespace, uid=f"{self.namespace}/{name}")
        return replace(claim, metadata=metadata)

    def _claim_templates(self) -> Sequence[Manifest]:
        return (self.data["spec"].get("volumeClaimTemplates") or ()) if self.kind == "StatefulSet" else ()

    def _with_claims(self, pod: Pod) -> Pod:
        names = [template["metadata"]["name"] for template in self._claim_templates()]
        if not names:
            return pod
        others = [volume for volume in pod.spec.volumes or () if volume.name not in names]
        own = [
            Volume(name=name, persistent_volume_claim=ClaimSource(claim_name=f"{name}-{pod.name}")) for name in names
        ]
        return replace(pod, spec=replace(pod.spec, volumes=(*others, *own)))

    def _names(self, taken: Collection[tuple[str, str, str]]) -> Iterator[str]:
        spec, count, number = self.data["spec"], self._count(), 1
        if self.kind == "StatefulSet":
            start = (spec.get("ordinals") or {}).get("start") or 0
            for name in (f"{self.name}-{start + i}" for i in range(count)):
                if ("Pod", self.namespace, name) in taken:
                    raise InvalidObject(f"{self.label}: its pod {name} exists already: {_ADDING}")
                yield name
            return
        while count:
            name, number = f"{self.name}-{number}", number + 1
            if ("Pod", self.namespace, name) not in taken:
                yield name
                count -= 1

    def _count(self) -> int:
        if self.kind != "Job":
            return self._whole("replicas", 1)
        at_once = self._whole("parallelism", 1)
        return min(at_once, self._whole("completions", at_once))

    def _whole(self, field: str, default: int) -> int:
        value = self.data["spec"].get(field)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidObject(f"{self.label}: spec.{field} must be a whole number from 0, not {value!r}")
        return value

    def _template(self) -> Manifest:
        spec = self.data.get("spec")
        template = spec.get("template") if isinstance(spec, Mapping) else None
        if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
            raise InvalidObject(f"{self.label}: spec.template.spec is missing")
        return template

    def _from(self, data: Manifest) -> Pod:
        spec = data.get("spec")
        if not isinstance(spec, Mapping):
            raise InvalidObject(f"{self.label}: spec is missing")
        pod: Pod = self._read(Pod, {"metadata": data.get("metadata") or {}, "spec": spec})
        return replace(pod, spec=_with_defaults(pod.spec))

    def _named(self, pod: Pod, name: str, owners: tuple[OwnerReference, ...] | None) -> Pod:
        metadata = ObjectMeta(
            name=name,
            namespace=self.namespace,
            uid=f"{self.namespace}/{name}",
            labels=pod.metadata.labels,
            annotations=pod.metadata.annotations,
            owner_references=owners,
        )
        return replace(pod, metadata=metadata, spec=replace(pod.spec, node_name=""))

    def _owner(self) -> OwnerReference:
        kind = "ReplicaSet" if self.kind == "Deployment" else self.kind
        uid = f"{self.kind}/{self.namespace}/{self.name}"
        return OwnerReference(api_version=_API[self.kind], kind=kind, name=self._new_name, uid=uid, controller=True)

    def _read(self, kind: Any, data: Manifest) -> Any:
        try:
            return convert(data, kind)
        except ValidationError as error:
            raise InvalidObject(f"{self.label} cannot be read: {error}") from error


def _without_lists(objects: Iterable[Pod | Manifest]) -> Iterator[Pod | Manifest]:
    """Yield objects, and the items of those that are a List."""
    for one in objects:
        if isinstance(one, Pod):
            yield one
        elif not isinstance(one, Mapping):
            raise InvalidObject("a Kubernetes object is expected, with apiVersion, kind and metadata")
        elif one.get("kind") == "List":
            yield from _without_lists(one.get("items") or ())
        else:
            yield one


def _with_priority(pod: Pod, priorities: Mapping[str, int]) -> Pod:
    if pod.spec.priority is not None:
        return pod
    priority = priorities.get(pod.spec.priority_class_name, priorities.get("", 0))
    return replace(pod, spec=replace(pod.spec, priority=priority))


def _with_defaults(spec: PodSpec) -> PodSpec:
    """Return a spec as the API server would complete it, as far as scheduling reads it."""
    return replace(
        spec,
        scheduler_name=spec.scheduler_name or "default-scheduler",
        containers=_completed(spec.containers, spec.host_network),
        init_containers=_completed(spec.init_containers, spec.host_network),
    )


def _completed(containers: tuple[Container, ...] | None, host_network: bool) -> tuple[Container, ...] | None:
    return containers and tuple(_complete(container, host_network) for container in containers)


def _complete(container: Container, host_network: bool) -> Container:
    requests = {**(container.resources.limits or {}), **(container.resources.requests or {})}
    ports = container.ports
    if host_network and ports:
        ports = tuple(replace(port, host_port=port.host_port or port.container_port) for port in ports)
    return replace(container, resources=replace(container.resources, requests=requests), ports=ports)
