"""PigeonHoling: the node with which the whole cluster would be best, by one of three objectives.

    LOAD_BALANCE   all nodes equally full
    CONSOLIDATE    nodes empty or full, rather than in between
    A_BINPACK      nodes differ as much as pods do, which is learnt from the pods: the more their sizes vary, the more
                   nodes are kept half empty for large ones

The first `numResources` of CPU, memory, pods, `gpuResource` and ephemeral storage count: a node that has less left of
one than the pod asks for scores 0, and A_BINPACK looks at all of them together. The other two objectives look at the
utilisation of one, number `policyResourceIndex`. `roost.framework.objectives` has the formulas; less is better there.

Score: with the value v of a node, of which m is the lowest and M the highest among those that the pod may go on,

    round(1 + (highest - 1) * (M - v) / (M - m))        highest = 100, or 10 on the scale of extenders

and `highest` for all of them if M = m.

From agent pigeon of IBM/kube-safe-scheduler; `compat: original` restores its numbers: its units and their mismatches,
its precision, and a cluster that is only the nodes asked about.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from roost.api.pod import Pod
from roost.api.quantity import milli_value, value
from roost.errors import ConfigError
from roost.framework.demands import DOUBLE, SINGLE, Demands, first_demand, one_more
from roost.framework.measure import ALLOCATION_AT, Measure, read_number
from roost.framework.objectives import Cluster, adaptive_bin_packing, consolidation, load_balance
from roost.framework.plugin import Context, Plugin, ScaledArgs, Scores, Surroundings
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Bool, Float64, Rows, View

Objective = Literal["A_BINPACK", "LOAD_BALANCE", "CONSOLIDATE"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
A_BINPACK: Objective = "A_BINPACK"

Numbers = NDArray[np.intp]

CONFIG_FILE = "pigeon.cfg"
NUM_RESOURCES_VARIABLE = "NUM_RESOURCES"
OBJECTIVE_VARIABLE = "POLICY_OBJECTIVE"
GPU = "nvidia.com/gpu"

MEBIBYTE, GIBIBYTE = 2**20, 2**30
LEAST_MILLI_CPU, LEAST_MEMORY = 10, 16 * MEBIBYTE
"""What a pod that asks for none counts with."""

GPU_OF_ORIGINAL = "gpu"
UNITS_OF_ORIGINAL = (1, MEBIBYTE, 1, 1, GIBIBYTE)
MOST_RESOURCES = len(UNITS_OF_ORIGINAL)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_EXACT_AS_FLOAT = 2**53


class PigeonHolingArgs(ScaledArgs):
    """The objective, its resources, and where what is used on nodes is read: in annotations, or from the pods there.

    `fileObjective` says under `compat: original` what objective the original was created with.
    """

    policy_objective: Objective = A_BINPACK
    policy_resource_index: int = 0
    num_resources: int = 2
    gpu_resource: str = GPU
    source: Literal["auto", "annotations", "cluster"] = "auto"
    file_objective: Objective | None = None


def read_amount(text: str) -> float | None:
    """Return a number from 0 up."""
    number = read_number(text)
    return None if number is None or number < 0 else number


def read_whole(text: str) -> float | None:
    """Return a whole number as the original read it: digits, with a sign at most."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    return None if number is None or abs(number) > _EXACT_AS_FLOAT else float(number)


_ANNOTATIONS = tuple(f"requested-{name}" for name in ("cpu", "memory", "pods", "gpu", "ephemeral-storage"))
REQUESTED = tuple(Measure(annotation, read_amount, ALLOCATION_AT) for annotation in _ANNOTATIONS)
REQUESTED_OF_ORIGINAL = tuple(Measure(annotation, read_whole) for annotation in _ANNOTATIONS)


class PigeonHoling(Plugin):
    """Prefer the node with which the cluster as a whole is best."""

    name = "PigeonHoling"
    args_type = PigeonHolingArgs
    reads = frozenset({"node", "annotations", "usage"})
    pod_reads = ("requests",)
    webhook = "pigeon-holing"
    remember = False  # every node's value depends on all nodes, and on what was learnt

    def __init__(self, args: PigeonHolingArgs | None = None) -> None:
        super().__init__(args)
        _check(self.args)
        self.scale = self.args.effective_scale
        if self.args.is_original or self.args.source == "annotations":
            self.reads = frozenset({"node", "annotations"})
        gpu = GPU_OF_ORIGINAL if self.args.is_original else self.args.gpu_resource
        self._resources = ("cpu", "memory", "pods", gpu, "ephemeral-storage")

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the file pigeon.cfg says, and POLICY_OBJECTIVE and NUM_RESOURCES, which go before it."""
        is_original = given.get("compat") == "original"
        in_file = _from_file(around, is_original=is_original)
        found = {**in_file, **_from_variables(around)}
        created_with = in_file.get("policyObjective", A_BINPACK)
        if is_original and "policyObjective" not in given and found.get("policyObjective") == A_BINPACK != created_with:
            found["fileObjective"] = created_with
        return {name: value for name, value in found.items() if name not in given}

    def learn(self, learnt: Demands | None, pod: PodInfo, view: View) -> Demands | None:
        """Return the moments of demands after one pod more; only A_BINPACK needs any."""
        if self.args.policy_objective != A_BINPACK:
            return learnt
        demand = self._demand(pod)
        if learnt is None:
            return _first_of_original(demand) if self.args.is_original else first_demand(demand)
        return one_more(learnt, demand, SINGLE if self.args.is_original else DOUBLE)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return scores of the rows by their values; 0 where the pod finds no room."""
        numbers = np.arange(view.size)[rows]
        alive = view.alive[numbers]
        scores = np.zeros(len(numbers), dtype=np.int64)
        if alive.any():
            cluster = self._cluster(pod, view, numbers[alive])
            scores[alive] = ranked(self._values(cluster, ctx, pod, view), cluster.fits, self.args.highest)
        return scores

    def _values(self, cluster: Cluster, ctx: Context, pod: PodInfo, view: View) -> Float64:
        if self.args.policy_objective == "LOAD_BALANCE":
            return load_balance(cluster, self.args.policy_resource_index)
        if self.args.policy_objective == "CONSOLIDATE":
            return consolidation(cluster, self.args.policy_resource_index)
        demands = self.learn(ctx.learnt.get(self.name), pod, view)
        if demands is None or self.args.file_objective not in (None, A_BINPACK):
            return np.zeros(len(cluster.asked))
        return adaptive_bin_packing(cluster, demands)

    def _cluster(self, pod: PodInfo, view: View, asked: Numbers) -> Cluster:
        """Return all nodes as columns; the original knew only those that it was asked about."""
        size, is_original = self.args.num_resources, self.args.is_original
        nodes = asked if is_original else np.flatnonzero(view.alive)
        return Cluster(
            capacity=self._capacity(view, nodes),
            usage=self._usage(view, nodes),
            demand=np.array(self._demand(pod)[:size], dtype=np.float64),
            asked=np.searchsorted(nodes, asked),
            as_original=is_original,
        )

    def _capacity(self, view: View, nodes: Numbers) -> Float64:
        lines = [_line(view.allocatable, view, name)[nodes] for name in self._resources[: self.args.num_resources]]
        capacity = np.array(lines, dtype=np.float64)
        return _in_units_of_original(capacity) if self.args.is_original else capacity

    def _usage(self, view: View, nodes: Numbers) -> Float64:
        """Return what is requested on nodes: what annotations say, or the pods there where they say nothing usable."""
        size = self.args.num_resources
        if self.args.is_original:
            measured = [view.measured(measure) for measure in REQUESTED_OF_ORIGINAL[:size]]
            return _in_units_of_original(np.array([np.where(one.known, one.values, 0)[nodes] for one in measured]))
        pods: list[Any] = [0] * size
        if self.args.source != "annotations":
            pods = [_line(view.usage, view, name)[nodes] for name in self._resources[:size]]
        if self.args.source == "cluster":
            return np.array(pods, dtype=np.float64)
        measured = [view.measured(measure) for measure in REQUESTED[:size]]
        lines = [
            np.where((one.known & one.fresh)[nodes], one.values[nodes], own)
            for one, own in zip(measured, pods, strict=True)
        ]
        return np.array(lines, dtype=np.float64)

    def _demand(self, pod: PodInfo) -> list[float]:
        """Return what a pod asks for, of all five resources."""
        if self.args.is_original:
            return _demand_of_original(pod.pod)
        amounts = [float(pod.requests.effective.get(name, 0)) for name in self._resources]
        return [amounts[0] or LEAST_MILLI_CPU, amounts[1] or LEAST_MEMORY, 1.0, *amounts[3:]]


def ranked(values: Float64, fits: Bool, highest: int) -> Int64:
    """Return scores of 1…highest from the highest value to the lowest; 0 where the pod does not fit."""
    scores = np.zeros(len(values), dtype=np.int64)
    placed = values[fits]
    if len(placed):
        low, high = placed.min(), placed.max()
        part = (highest - 1) * (high - placed) / (high - low) if high > low else highest - 1
        scores[fits] = np.clip(np.floor(1 + part + 0.5), 0, highest)
    return scores


def _line(columns: Int64, view: View, resource: str) -> Int64:
    """Return the column of a resource; zeros if nobody has ever named it."""
    row = view.resources.rows.get(resource, len(columns))
    return columns[row] if row < len(columns) else np.zeros(view.size, dtype=np.int64)


def _check(args: PigeonHolingArgs) -> None:
    size, index = args.num_resources, args.policy_resource_index
    if not 1 <= size <= MOST_RESOURCES:
        raise ConfigError(f"numResources: must be from 1 to {MOST_RESOURCES}, not {size}")
    if not 0 <= index < size:
        raise ConfigError(f"policyResourceIndex: must be from 0 to {size - 1}, below numResources, not {index}")
    if not args.gpu_resource.strip():
        raise ConfigError(f"gpuResource: is empty; name a resource, such as {GPU}")
    if args.is_original and args.source == "cluster":
        raise ConfigError("source: compat: original reads annotations; leave out one of the two")
    if args.is_original and args.gpu_resource != GPU:
        raise ConfigError(f"gpuResource: compat: original reads {GPU_OF_ORIGINAL}; leave out one of the two")
    if args.file_objective is not None and not args.is_original:
        raise ConfigError("fileObjective: has a meaning only with compat: original; leave it out")


# ---- pigeon.cfg and variables


def _from_variables(around: Surroundings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    objective, size = around.environ.get(OBJECTIVE_VARIABLE, ""), around.environ.get(NUM_RESOURCES_VARIABLE, "")
    if objective:
        found["policyObjective"] = _objective(around, OBJECTIVE_VARIABLE, objective)
    if _WHOLE.fullmatch(size) and 1 <= int(size) <= MOST_RESOURCES:
        found["numResources"] = int(size)
    elif size:
        around.warn(f"{NUM_RESOURCES_VARIABLE}: must be from 1 to {MOST_RESOURCES}, not '{size}'; 2 is used")
    return found


def _from_file(around: Surroundings, *, is_original: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    text = around.read_file(CONFIG_FILE)
    settings = {} if text is None else (_settings_of_original if is_original else _settings)(text)
    for name, given in settings.items():
        if name == "policyObjective":
            found[name] = _objective(around, f"{CONFIG_FILE}: {name}", given)
        elif name == "policyResourceIndex" and _WHOLE.fullmatch(given):
            found[name] = int(given)
        elif name == "policyResourceIndex":
            around.warn(f"{CONFIG_FILE}: {name}: must be a whole number, not '{given}'; 0 is used")
        else:
            around.warn(f"{CONFIG_FILE}: {name}: is no setting; there are policyObjective and policyResourceIndex")
    return found


def _objective(around: Surroundings, place: str, text: str) -> str:
    if text in OBJECTIVES:
        return text
    around.warn(f"{place}: must be one of {', '.join(OBJECTIVES)}, not '{text}'; {A_BINPACK} is used")
    return A_BINPACK


def _settings(text: str) -> dict[str, str]:
    """Return the settings of a file of `key = value` lines with comments; of equal keys the last counts."""
    lines = [line.partition("#")[0].partition("=") for line in text.splitlines()]
    return {key.strip(): given.strip() for key, equals, given in lines if equals}


def _settings_of_original(text: str) -> dict[str, str]:
    """Return settings as the original read them: spaces before keys or after values, and carriage returns, count."""
    lines = [line.partition("=") for line in text.split("\n") if not line.startswith("#")]
    return {key.rstrip(" "): given.lstrip(" ") for key, equals, given in lines if equals}


# ---- numbers of the original


def _demand_of_original(pod: Pod) -> list[float]:
    """Return the requests of the containers alone: CPU in milli-cores, MiB, a pod, no GPU, bytes of storage."""
    requests = [container.resources.requests or {} for container in pod.spec.containers or ()]
    cpu = sum(milli_value(one.get("cpu", 0)) for one in requests)
    memory = sum(value(one.get("memory", 0)) for one in requests) // MEBIBYTE
    storage = sum(value(one.get("ephemeral-storage", 0)) for one in requests)
    return [float(_int32(amount)) for amount in (cpu or LEAST_MILLI_CPU, memory or 16, 1, 0, storage)]


def _first_of_original(demand: Sequence[float]) -> Demands:
    """Return what the original knew after one pod: with products that wrap at 32 bits, as later ones do not."""
    products = [[float(_int32(int(one) * int(other))) for other in demand] for one in demand]
    return Demands(tuple(demand), tuple(map(tuple, products)))


def _in_units_of_original(amounts: Float64) -> Float64:
    """Return amounts of milli-cores, bytes and counts as 32-bit numbers of milli-cores, MiB, counts and GiB."""
    units = np.array(UNITS_OF_ORIGINAL[: len(amounts)], dtype=np.float64)
    return (np.trunc(amounts / units[:, None]) + 2**31) % 2**32 - 2**31


def _int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31
