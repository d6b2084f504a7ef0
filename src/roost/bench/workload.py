"""A workload: a named series of steps in one of several sizes, read from a file that looks like scheduler_perf's.

    name: SchedulingBasic
    about: Pods that ask for CPU and memory, nothing else.
    source: misc/performance-config.yaml
    defaultSize: 500Nodes
    sizes:
      500Nodes: {nodes: 500, initPods: 500, measurePods: 1000}
    steps:
    - createNodes: {count: $nodes, node: {…}}
    - createPods: {count: $initPods, pod: {…}}
    - createPods: {count: $measurePods, collectMetrics: true, pod: {…}}

`$nodes` is the number that the size gives, or the caller in its place. `createPodSets` stands for a `createPods` in
each of several namespaces, with `$index` for the number of the namespace anywhere in it; `createObjects` with `count`
and `namespacePrefix` repeats itself in the same way. Pure: whoever calls has the text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from roost.bench.objects import (
    churn_objects,
    namespace_object,
    namespace_objects,
    node_objects,
    pod_bodies,
    pod_names,
    pod_object,
    pod_objects,
    step_objects,
)
from roost.bench.steps import (
    OPCODES,
    Barrier,
    Churn,
    CreateNamespaces,
    CreateNodes,
    CreateObjects,
    CreatePods,
    DeletePods,
    Sleep,
    Step,
)
from roost.config.decode import at, decode, nearest
from roost.config.documents import read_document
from roost.errors import ConfigError

__all__ = [
    "Barrier",
    "Churn",
    "CreateNamespaces",
    "CreateNodes",
    "CreateObjects",
    "CreatePods",
    "DeletePods",
    "Sleep",
    "Step",
    "Workload",
    "WorkloadFile",
    "churn_objects",
    "namespace_object",
    "namespace_objects",
    "node_objects",
    "pod_bodies",
    "pod_names",
    "pod_object",
    "pod_objects",
    "read_workload",
    "read_workload_file",
    "step_objects",
]

Numbers = Mapping[str, int]
_PARAMETER = re.compile(r"\$(\w+)")
_INDEX = "$index"


class WorkloadFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A workload as its file has it, in all sizes.

    `whole_cluster` is false where controllers of a whole cluster would interfere, such as with pods that say that a
    ReplicaSet made them.
    """

    name: str
    about: str
    source: str = ""
    sizes: Mapping[str, Numbers]
    default_size: str = ""
    whole_cluster: bool = True
    steps: Sequence[Mapping[str, Any]] = field(default_factory=list)


class Workload(Struct, frozen=True, kw_only=True):
    """A workload in one size: the steps with all numbers in place."""

    name: str
    size: str
    about: str = ""
    source: str = ""
    numbers: Numbers = field(default_factory=dict)
    whole_cluster: bool = True
    steps: tuple[Step, ...] = ()

    @property
    def nodes(self) -> int:
        """How many nodes the steps create."""
        return sum(step.count for step in self.steps if isinstance(step, CreateNodes))

    @property
    def measured(self) -> int:
        """How many pods are measured."""
        return sum(step.count for step in self.steps if isinstance(step, CreatePods) and step.measured)

    @property
    def title(self) -> str:
        """The name and the size."""
        return f"{self.name}/{self.size}"


def read_workload(text: str, size: str = "", overrides: Numbers | None = None, *, file: str = "") -> Workload:
    """Return the workload of a text in one of its sizes ("": its usual one), with some numbers given anew.

    Raises ConfigError that names the file, the field and the fix.
    """
    found = read_workload_file(text, file=file)
    chosen = size or found.default_size or next(iter(found.sizes), "")
    if chosen not in found.sizes:
        known = ", ".join(found.sizes)
        raise ConfigError(f"{found.name} has no size {chosen}{nearest(chosen, found.sizes)}; its sizes are {known}")
    numbers = _overridden(found, found.sizes[chosen], overrides or {})
    try:
        steps = tuple(_placed(_steps(found, numbers)))
    except ConfigError as error:
        raise _in_file(error, file) from error
    workload = Workload(
        name=found.name,
        size=_size_name(chosen, found.sizes[chosen], numbers),
        about=found.about,
        source=found.source,
        numbers=numbers,
        whole_cluster=found.whole_cluster,
        steps=steps,
    )
    _check(workload, file)
    return workload


def read_workload_file(text: str, *, file: str = "") -> WorkloadFile:
    """Return what a text says, in all its sizes; raises ConfigError."""
    try:
        return decode(read_document(text), WorkloadFile)
    except ConfigError as error:
        raise _in_file(error, file) from error


def _in_file(error: ConfigError, file: str) -> ConfigError:
    return ConfigError(f"{file}: {error}") if file else error


def _overridden(found: WorkloadFile, numbers: Numbers, overrides: Numbers) -> Numbers:
    for name, value in overrides.items():
        if name not in numbers:
            known = ", ".join(numbers)
            raise ConfigError(f"{name}: {found.name} has no such number{nearest(name, numbers)}; it has {known}")
        if value < 0:
            raise ConfigError(f"{name}: must not be negative, got {value}")
    return {**numbers, **overrides}


def _size_name(size: str, said: Numbers, numbers: Numbers) -> str:
    """Return the size's own name, or one that tells the numbers where some were given anew."""
    if said == numbers:
        return size
    return ",".join(f"{name}={value}" for name, value in numbers.items())


def _check(workload: Workload, file: str) -> None:
    if not workload.nodes:
        raise _in_file(ConfigError("steps: no node is created; createNodes needs a count above 0"), file)
    if not workload.measured:
        what = "steps: no pod is measured; give a createPods collectMetrics: true and a count above 0"
        raise _in_file(ConfigError(what), file)


# ---- steps


def _steps(found: WorkloadFile, numbers: Numbers) -> Iterator[Step]:
    for number, said in enumerate(found.steps):
        path = f"steps[{number}]"
        if not said:
            raise at(path, "is empty; an operation without fields is written as barrier: {}")
        if len(said) != 1:
            raise at(path, f"must be one operation, such as createPods, with its fields; got {', '.join(said)}")
        ((opcode, fields),) = said.items()
        where = f"{path}.{opcode}"
        yield from _step(opcode, _with_numbers(fields, numbers, where), number, where)


def _step(opcode: str, fields: Any, number: int, where: str) -> Iterator[Step]:
    if opcode == "createPodSets":
        yield from _pod_sets(decode(fields, _PodSets, where), number, where)
    elif opcode == "createObjects" and isinstance(fields, Mapping) and "count" in fields:
        yield from _object_sets(decode(fields, _ObjectSets, where))
    elif opcode in OPCODES:
        yield _with_names(decode(fields, OPCODES[opcode], where), number, where)
    else:
        known = (*OPCODES, "createPodSets")
        raise at(where, f"is no operation{nearest(opcode, known)}; known are {', '.join(known)}")


def _with_names(step: Step, number: int, where: str) -> Step:
    """Fill in the namespace, which is scheduler_perf's own choice, and a prefix that no other step has."""
    if isinstance(step, CreatePods | Churn):
        prefix = step.prefix or f"{'churn' if isinstance(step, Churn) else 'pod'}-{number}"
        return replace(step, namespace=step.namespace or f"namespace-{number}", prefix=prefix)
    if isinstance(step, CreateObjects):
        return replace(step, namespace=step.namespace or f"namespace-{number}")
    if isinstance(step, CreateNodes) and step.count > 1 and "name" in step.template.get("metadata", {}):
        raise at(f"{where}.node.metadata.name", f"{step.count} nodes cannot have one name; leave it out")
    return step


def _placed(steps: Iterator[Step]) -> Iterator[Step]:
    """Number nodes through all steps."""
    first = 0
    for step in steps:
        if isinstance(step, CreateNodes):
            yield replace(step, first=first)
            first += step.count
        else:
            yield step


def _with_numbers(data: Any, numbers: Numbers, path: str) -> Any:
    """Return data with `$name` replaced by the number of that name."""
    if isinstance(data, Mapping):
        return {key: _with_numbers(value, numbers, f"{path}.{key}") for key, value in data.items()}
    if isinstance(data, list):
        return [_with_numbers(value, numbers, f"{path}[{i}]") for i, value in enumerate(data)]
    match = _PARAMETER.fullmatch(data) if isinstance(data, str) and data != _INDEX else None
    if match is None:
        return data
    if match[1] not in numbers:
        raise at(path, f"the size has no number {match[1]}{nearest(match[1], numbers)}; it has {', '.join(numbers)}")
    return numbers[match[1]]


# ---- repeated steps


class _PodSets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    count: int
    namespace_prefix: str
    create_pods: Mapping[str, Any]


class _ObjectSets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    count: int
    namespace_prefix: str
    objects: Sequence[Mapping[str, Any]]


def _pod_sets(sets: _PodSets, number: int, where: str) -> Iterator[Step]:
    """Yield a step per namespace, all under way at once, and a barrier."""
    for index in range(sets.count):
        namespace = f"{sets.namespace_prefix}-{index}"
        fields = {**_indexed(sets.create_pods, index), "namespace": namespace, "skipWaitToCompletion": True}
        yield _with_names(decode(fields, CreatePods, f"{where}.createPods"), number, where)
    yield Barrier()


def _object_sets(sets: _ObjectSets) -> Iterator[Step]:
    for index in range(sets.count):
        yield CreateObjects(namespace=f"{sets.namespace_prefix}-{index}", objects=_indexed(sets.objects, index))


def _indexed(data: Any, index: int) -> Any:
    if isinstance(data, Mapping):
        return {key: _indexed(value, index) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_indexed(value, index) for value in data]
    return data.replace(_INDEX, str(index)) if isinstance(data, str) else data
