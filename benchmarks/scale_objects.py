"""Nodes and pods of a large cluster as the JSON of lists that an API server sends, for `benchmarks.scale`.

Nothing is left out of the objects because Roost does not read it: managed fields, what kubelets report of containers
and conditions, the volume of the service account, images of nodes. A pod has about 10 KB so, and a node as much. Of the
pods, one in five is of a DaemonSet and names its node in its affinity; the others are replicas of twenty. Every fourth
application spreads over zones, every fourth prefers other nodes than those of its own pods.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
PAGE = 500
REPLICAS = 20
NAMESPACES = 200
IMAGES = 600
IMAGES_PER_NODE = 35
_DAEMON_SHARE = 5
_WITH_PROXY = 2
_VERSION = 900_000_000
_TIME = "2026-11-21T12:00:00Z"
_HOLE = re.compile(rb"<(\w+)>")
Fields = Mapping[str, Any]


class World(Struct, frozen=True):
    """How large a cluster is: nodes, pods on them, and pods that wait."""

    nodes: int
    placed: int
    pending: int = 0

    @property
    def pods(self) -> int:
        """All pods."""
        return self.placed + self.pending

    @property
    def apps(self) -> int:
        """All applications besides DaemonSets."""
        return -(-self.pods // REPLICAS)


class Template:
    """The JSON of an object with holes: `<name>` in a text is filled with the value of that name."""

    def __init__(self, fields: Fields) -> None:
        parts = _HOLE.split(json.dumps(fields, separators=(",", ":")).encode())
        self._texts, self._holes = parts[::2], [part.decode() for part in parts[1::2]]

    def fill(self, values: Mapping[str, str]) -> bytes:
        """Return the JSON with these values."""
        filled = [values[hole].encode() for hole in self._holes]
        return b"".join([part for pair in zip(self._texts, filled, strict=False) for part in pair]) + self._texts[-1]


def pages(kind: str, items: Iterator[bytes], count: int, size: int = PAGE) -> Iterator[bytes]:
    """Yield the pages of a list of so many objects."""
    for first in range(0, max(count, 1), size):
        end = min(first + size, count)
        yield page(kind, [next(items) for _ in range(first, end)], "" if end >= count else f"from-{end}")


def page(kind: str, items: Sequence[bytes], token: str) -> bytes:
    """Return one page of a list as an API server writes it."""
    metadata = json.dumps({"resourceVersion": str(_VERSION), **({"continue": token} if token else {})}).encode()
    head = b'{"kind":"%bList","apiVersion":"v1","metadata":%b,"items":[' % (kind.encode(), metadata)
    return head + b",".join(items) + b"]}\n"


# ---- pods


def pods(world: World, first: int = 0) -> Iterator[bytes]:
    """Yield the pods of a world: those on nodes, then those that wait."""
    for number in range(first, world.pods):
        yield pod(world, number)


def pod(world: World, number: int, node: str = "") -> bytes:
    """Return one pod: on a node if its number says so, or on that one."""
    waits = number >= world.placed and not node
    is_daemon = number < world.placed and number % _DAEMON_SHARE == 0
    daemon, own = divmod(number // _DAEMON_SHARE, world.nodes)
    at = own if is_daemon else number * 7919 % world.nodes
    app = daemon if is_daemon else number // REPLICAS
    template = "pending" if waits else "daemon" if is_daemon else "running"
    return _PODS[template, 0 if is_daemon else app % 4].fill(
        {
            "app": f"{'agent' if is_daemon else 'service'}-{app:05d}",
            "cpu": f"{50 + 10 * (app % 20)}m",
            "memory": f"{64 + 16 * (app % 16)}Mi",
            "namespace": namespace(app),
            "suffix": _suffix(number),
            "uid": f"{number:08x}-8f5c-4a2e-9a57-6d1d7c0d3c11",
            "owner": f"{app:08x}-55fe-4d13-b0f5-{'da' if is_daemon else 'e5'}0d7c0d3c22",
            "version": str(_VERSION - 3 * number),
            "node": node or node_name(at),
            "image": str(app % IMAGES),
            "digest": f"{number:012x}",
            "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "time": f"2026-11-{1 + number % 28:02d}T{number % 24:02d}:{number // 24 % 60:02d}:{number // 7 % 60:02d}Z",
        }
    )


def namespace(app: int) -> str:
    """Return the namespace of an application."""
    return f"team-{app % NAMESPACES:03d}"


def pod_name(world: World, number: int) -> str:
    """Return the name of a pod that waits."""
    app = number // REPLICAS
    return f"service-{app:05d}-6d4cf56db6-{_suffix(number)}"


def node_name(number: int) -> str:
    """Return the name of a node."""
    return f"ip-10-{number >> 8 & 255}-{number & 255}-{number >> 16}.eu-central-1.compute.internal"


def _suffix(number: int) -> str:
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(letters[number // 27**place % 27] for place in range(5))


def _pod(*, is_daemon: bool, is_bound: bool, rules: Fields, kind: int = 0) -> Fields:
    containers = [("main", "<image>"), *([("proxy", "7")] if kind >= _WITH_PROXY else [])]
    metadata = {
        "name": "<app>-<suffix>" if is_daemon else "<app>-6d4cf56db6-<suffix>",
        "generateName": "<app>-" if is_daemon else "<app>-6d4cf56db6-",
        "namespace": "<namespace>",
        "uid": "<uid>",
        "resourceVersion": "<version>",
        "generation": 1,
        "creationTimestamp": "<time>",
        "labels": {"app.kubernetes.io/name": "<app>", "app.kubernetes.io/part-of": "platform", **_hash(is_daemon)},
        "annotations": {"kubectl.kubernetes.io/restartedAt": _TIME, "prometheus.io/scrape": "true"},
        "ownerReferences": [_owner("DaemonSet" if is_daemon else "ReplicaSet")],
        "managedFields": [_MADE, *([_REPORTED] if is_bound else [])],
    }
    spec = {
        "volumes": [_token_volume(), {"name": "config", "configMap": {"name": "<app>", "defaultMode": 420}}],
        "containers": [_container(*each) for each in containers],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "<app>",
        "serviceAccount": "<app>",
        **({"nodeName": "<node>"} if is_bound else {}),
        "securityContext": {"runAsNonRoot": True, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler" if is_daemon else "roost",
        "tolerations": _DAEMON_TOLERATIONS if is_daemon else _TOLERATIONS,
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        **rules,
    }
    status = _status(containers) if is_bound else {"phase": "Pending", "qosClass": "Burstable"}
    return {"metadata": metadata, "spec": spec, "status": status}


def _hash(is_daemon: bool) -> Fields:
    return {"controller-revision-hash": "7c9d8b6f5d"} if is_daemon else {"pod-template-hash": "6d4cf56db6"}


def _owner(kind: str) -> Fields:
    name = "<app>" if kind == "DaemonSet" else "<app>-6d4cf56db6"
    controller = {"controller": True, "blockOwnerDeletion": True}
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "<owner>", **controller}


def _container(name: str, image: str) -> Fields:
    requests = {"cpu": "<cpu>", "memory": "<memory>"}
    return {
        "name": name,
        "image": f"registry.example.com/platform/service-{image}:v1.24.3",
        "args": ["--port=8080", "--log-level=info", "--config=/etc/config/config.yaml"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            *({"name": f"SETTING_{number}", "value": "x" * 20} for number in range(6)),
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
        ],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": requests},
        "volumeMounts": _mounts(),
        "livenessProbe": _probe("/healthz"),
        "readinessProbe": _probe("/readyz"),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _mounts() -> list[Fields]:
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    return [
        {"name": "config", "mountPath": "/etc/config"},
        {"name": "kube-api-access-<suffix>", "readOnly": True, "mountPath": token},
    ]


def _probe(path: str) -> Fields:
    times = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    return {"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, **times}


def _token_volume() -> Fields:
    namespace_path = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    certificate = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": certificate},
        {"downwardAPI": {"items": [namespace_path]}},
    ]
    return {"name": "kube-api-access-<suffix>", "projected": {"sources": sources, "defaultMode": 420}}


def _status(containers: Sequence[tuple[str, str]]) -> Fields:
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    condition = {"observedGeneration": 1, "status": "True", "lastProbeTime": None, "lastTransitionTime": "<time>"}
    return {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [{"type": name, **condition} for name in conditions],
        "hostIP": "<ip>",
        "hostIPs": [{"ip": "<ip>"}],
        "podIP": "<ip>",
        "podIPs": [{"ip": "<ip>"}],
        "startTime": "<time>",
        "containerStatuses": [_container_status(*each) for each in containers],
        "qosClass": "Burstable",
    }


def _container_status(name: str, image: str) -> Fields:
    requests = {"cpu": "<cpu>", "memory": "<memory>"}
    repository = f"registry.example.com/platform/service-{image}"
    return {
        "name": name,
        "state": {"running": {"startedAt": "<time>"}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": f"{repository}:v1.24.3",
        "imageID": f"{repository}@sha256:7b0d7c0d3c11{'9a57' * 13}",
        "containerID": f"containerd://<digest>{'6d1d' * 13}",
        "started": True,
        "allocatedResources": requests,
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": requests},
        "volumeMounts": [{**mount, "recursiveReadOnly": "Disabled"} for mount in _mounts()],
        "user": {"linux": {"uid": 1000, "gid": 1000, "supplementalGroups": [2000]}},
    }


def _managed(manager: str, fields: Fields, **further: str) -> Fields:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "<time>",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **further,
    }


def _owned(names: Sequence[str], within: Fields | None = None) -> dict[str, Fields]:
    return {f"f:{name}": within or {} for name in names}


_CONTAINER_FIELDS = {
    ".": {},
    **_owned(("args", "image", "imagePullPolicy", "name", "terminationMessagePath", "terminationMessagePolicy")),
    "f:env": {".": {}, **{f'k:{{"name":"SETTING_{n}"}}': {".": {}, "f:name": {}, "f:value": {}} for n in range(6)}},
    "f:livenessProbe": {".": {}, **_owned(("failureThreshold", "httpGet", "periodSeconds", "timeoutSeconds"))},
    "f:readinessProbe": {".": {}, **_owned(("failureThreshold", "httpGet", "periodSeconds", "timeoutSeconds"))},
    "f:ports": {
        'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, **_owned(("containerPort", "name", "protocol"))}
    },
    "f:resources": {".": {}, **_owned(("limits", "requests"), {".": {}, "f:cpu": {}, "f:memory": {}})},
    "f:volumeMounts": {'k:{"mountPath":"/etc/config"}': {".": {}, **_owned(("mountPath", "name"))}},
}
_MADE = _managed(
    "kube-controller-manager",
    {
        "f:metadata": {
            "f:generateName": {},
            **_owned(("annotations", "labels"), {".": {}, "f:app.kubernetes.io/name": {}, "f:pod-template-hash": {}}),
            "f:ownerReferences": {".": {}, 'k:{"uid":"<owner>"}': {}},
        },
        "f:spec": {
            "f:containers": {'k:{"name":"main"}': _CONTAINER_FIELDS, 'k:{"name":"proxy"}': _CONTAINER_FIELDS},
            **_owned(("dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext")),
            "f:volumes": {".": {}, 'k:{"name":"config"}': {".": {}, **_owned(("configMap", "name"))}},
        },
    },
)
_REPORTED = _managed(
    "kubelet",
    {
        "f:status": {
            "f:conditions": {
                f'k:{{"type":"{name}"}}': {".": {}, **_owned(("lastProbeTime", "lastTransitionTime", "status", "type"))}
                for name in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
            },
            **_owned(("containerStatuses", "hostIP", "hostIPs", "observedGeneration", "phase", "podIP", "startTime")),
            "f:podIPs": {".": {}, 'k:{"ip":"<ip>"}': {".": {}, "f:ip": {}}},
        }
    },
    subresource="status",
)
_TOLERATIONS: Sequence[Fields] = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
_DAEMON_TOLERATIONS: Sequence[Fields] = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


def _rules(kind: int) -> Fields:
    selector = {"matchLabels": {"app.kubernetes.io/name": "<app>"}}
    if kind == 1:
        constraint = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway"}
        return {"topologySpreadConstraints": [{**constraint, "labelSelector": selector}]}
    if kind == 2:
        term = {"weight": 100, "podAffinityTerm": {"labelSelector": selector, "topologyKey": HOSTNAME}}
        return {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}}
    return {}


def _only_on_its_node() -> Fields:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["<node>"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}}


_PODS: Mapping[tuple[str, int], Template] = {
    ("daemon", 0): Template(_pod(is_daemon=True, is_bound=True, rules=_only_on_its_node())),
    **{
        ("running", kind): Template(_pod(is_daemon=False, is_bound=True, rules=_rules(kind), kind=kind))
        for kind in range(4)
    },
    **{
        ("pending", kind): Template(_pod(is_daemon=False, is_bound=False, rules=_rules(kind), kind=kind))
        for kind in range(4)
    },
}


# ---- Services and ReplicaSets


def services(world: World, first: int = 0) -> Iterator[bytes]:
    """Yield the Services of a world, one for each application."""
    for app in range(first, world.apps):
        yield _SERVICE.fill(_named(app))


def replica_sets(world: World, first: int = 0) -> Iterator[bytes]:
    """Yield the ReplicaSets of a world, one for each application."""
    for app in range(first, world.apps):
        yield _REPLICA_SET.fill(_named(app))


def _named(app: int) -> Mapping[str, str]:
    return {
        "app": f"service-{app:05d}",
        "namespace": namespace(app),
        "owner": f"{app:08x}-55fe-4d13-b0f5-e50d7c0d3c22",
        "version": str(_VERSION - app),
        "suffix": "",
        **dict.fromkeys(("cpu", "memory", "image", "node", "time"), "1"),
    }


def _grouping(name: str, spec: Fields) -> Fields:
    labels = {"app.kubernetes.io/name": "<app>", "app.kubernetes.io/part-of": "platform"}
    identity = {"name": name, "namespace": "<namespace>", "uid": "<owner>", "resourceVersion": "<version>"}
    metadata = {**identity, "creationTimestamp": _TIME, "labels": labels, "managedFields": [_MADE]}
    return {"metadata": metadata, "spec": spec, "status": {}}


def _replica_set_spec() -> Fields:
    labels = {"app.kubernetes.io/name": "<app>", "pod-template-hash": "6d4cf56db6"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [_container("main", "<image>")]}}
    return {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template}


_SERVICE = Template(_grouping("<app>", {"selector": {"app.kubernetes.io/name": "<app>"}, "ports": [{"port": 80}]}))
_REPLICA_SET = Template(_grouping("<app>-6d4cf56db6", _replica_set_spec()))


# ---- nodes


def nodes(world: World, first: int = 0) -> Iterator[bytes]:
    """Yield the nodes of a world."""
    for number in range(first, world.nodes):
        yield node(number)


def node(number: int) -> bytes:
    """Return one node, in one of three zones, with a share of the images."""
    values = {"name": node_name(number), "zone": "abc"[number % 3], "uid": f"{number:08x}-1f2c-4a2e-9a57-9a1d7c0d3c33"}
    images = {f"image{place}": str((number * 7 + place * 17) % IMAGES) for place in range(IMAGES_PER_NODE)}
    return _NODE.fill(
        {**values, **images, "version": str(_VERSION + number), "ip": f"10.0.{number >> 8}.{number & 255}"}
    )


def _node() -> Fields:
    amounts = {"cpu": "15890m", "ephemeral-storage": "95551679124", "memory": "60Gi", "pods": "110"}
    zone = "eu-central-1<zone>"
    labels = {
        "beta.kubernetes.io/instance-type": "m6i.4xlarge",
        "failure-domain.beta.kubernetes.io/zone": zone,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        HOSTNAME: "<name>",
        "node.kubernetes.io/instance-type": "m6i.4xlarge",
        "topology.kubernetes.io/region": "eu-central-1",
        ZONE: zone,
    }
    metadata = {
        "name": "<name>",
        "uid": "<uid>",
        "resourceVersion": "<version>",
        "creationTimestamp": _TIME,
        "labels": labels,
        "annotations": {
            "csi.volume.kubernetes.io/nodeid": '{"ebs.csi.aws.com":"i-<uid>"}',
            "node.alpha.kubernetes.io/ttl": "300",
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        },
        "managedFields": [
            {**_managed("kubelet", _NODE_FIELDS), "time": _TIME},
            {**_managed("kubelet", _NODE_STATUS_FIELDS, subresource="status"), "time": _TIME},
        ],
    }
    status = {
        "capacity": {**amounts, "cpu": "16", "memory": "64Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0"},
        "allocatable": {**amounts, "hugepages-1Gi": "0", "hugepages-2Mi": "0"},
        "conditions": [
            {
                "type": name,
                "status": "True" if name == "Ready" else "False",
                "lastHeartbeatTime": _TIME,
                "lastTransitionTime": _TIME,
                "reason": f"KubeletHas{name}",
                "message": f"kubelet says that {name} is as it should be",
            }
            for name in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
        ],
        "addresses": [{"type": "InternalIP", "address": "<ip>"}, {"type": "Hostname", "address": "<name>"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {"machineID": "<uid>", "kernelVersion": "6.12.40", "kubeletVersion": "v1.36.2"},
        "images": [_image(f"<image{place}>") for place in range(IMAGES_PER_NODE)],
        "declaredFeatures": ["RestartAllContainersOnContainerExits"],
    }
    return {"metadata": metadata, "spec": {"podCIDR": "<ip>/24", "providerID": "aws:///<uid>"}, "status": status}


def _image(number: str) -> Fields:
    repository = f"registry.example.com/platform/service-{number}"
    return {
        "names": [f"{repository}@sha256:{'7b0d7c0d3c119a57' * 4}", f"{repository}:v1.24.3"],
        "sizeBytes": 400_000_000,
    }


_NODE_FIELDS = {"f:metadata": _owned(("annotations", "labels"), {".": {}, f"f:{ZONE}": {}, f"f:{HOSTNAME}": {}})}
_NODE_STATUS_FIELDS = {
    "f:status": {
        **_owned(("allocatable", "capacity"), {".": {}, "f:cpu": {}, "f:memory": {}, "f:pods": {}}),
        "f:conditions": {
            f'k:{{"type":"{name}"}}': {
                ".": {},
                **_owned(("lastHeartbeatTime", "lastTransitionTime", "reason", "status")),
            }
            for name in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
        },
        **_owned(("images", "nodeInfo", "daemonEndpoints", "addresses")),
    }
}
_NODE = Template(_node())
