"""Which on-demand node can be drained now because every pod of it that moves has a place on a spot node.

    nodes, pods, budgets ─► a cache of the whole cluster
         least requested on-demand node first ─► fates ─► budgets ─► each pod, largest first: decide, assume
              all placed: that is the plan       a pod without a place: undo, next node

The places are decided by the cycle that schedules pods, for the pods as their controllers would make them again.
Called by `roost.rebalancer`, which acts on the plan.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from roost.analysis.evictable import DrainRules, by_namespace, fate_of, over_budget
from roost.analysis.landing import landing_profile
from roost.analysis.node_pools import NodePools, Pool, why_unusable
from roost.analysis.repelling import find_repellers, repelled
from roost.api.draining import DisruptionBudget, DrainNode, DrainPod
from roost.api.pod import PodStatus
from roost.cache import Cache
from roost.errors import InvalidObject
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.resources import CPU, MEMORY

Landing = Literal["best", "fullest"]


class Inventory(Struct, frozen=True, kw_only=True):
    """The cluster as it was listed; `unreadable` has a sentence for each pod or budget that was not decoded."""

    nodes: Sequence[DrainNode]
    pods: Sequence[DrainPod]
    budgets: Sequence[DisruptionBudget] = ()
    unreadable: Sequence[str] = ()


class PlanRules(Struct, frozen=True, kw_only=True):
    """How to plan; `landing` is where a pod is put in the plan: on the best node, or the fullest that takes it."""

    pools: NodePools = NodePools()
    drain: DrainRules = DrainRules()
    landing: Landing = "best"


class NodeUse(Struct, frozen=True):
    """A node of a pool: its pods that have not ended, and the milli-cores they request of those it has."""

    name: str
    pool: Pool
    pods: int
    requested: int
    allocatable: int


class Move(Struct, frozen=True):
    """A pod to be evicted, and the Decision that found a place for it."""

    pod: DrainPod
    decision: Decision

    @property
    def to_node(self) -> str:
        """The node that would take it."""
        return self.decision.node or ""


class Stay(Struct, frozen=True):
    """A pod that a drain leaves on the node, and why."""

    pod: str
    why: str


class Drain(Struct, frozen=True):
    """A node that can be drained."""

    node: str
    moves: tuple[Move, ...]
    stays: tuple[Stay, ...] = ()


class Refusal(Struct, frozen=True):
    """A node that cannot be drained now, and why."""

    node: str
    why: str


class Plan(Struct, frozen=True, kw_only=True):
    """The node to drain, or None; the nodes that come before it and why not; why nothing is planned at all, if so."""

    drain: Drain | None = None
    refusals: tuple[Refusal, ...] = ()
    held: str = ""
    nodes: tuple[NodeUse, ...] = ()


def plan_drain(inventory: Inventory, rules: PlanRules, profile: Profile) -> Plan:
    """Return which node to drain next, and where each of its pods would go."""
    planner = _Planner(inventory, rules)
    held = planner.why_not_at_all()
    if held:
        return Plan(held=held, nodes=planner.uses)
    cycle = Cycle(landing_profile(profile, planner.places, first_fit=rules.landing == "fullest"))
    refusals: list[Refusal] = []
    for name in planner.candidates:
        found = planner.plan_node(name, cycle)
        if isinstance(found, Drain):
            return Plan(drain=found, refusals=tuple(refusals), nodes=planner.uses)
        refusals.append(Refusal(name, found))
    return Plan(refusals=tuple(refusals), nodes=planner.uses)


class _Planner:
    """The cluster in a cache, where planned pods are assumed."""

    def __init__(self, inventory: Inventory, rules: PlanRules) -> None:
        self._rules = rules
        self._unreadable = list(inventory.unreadable)
        self._waiting = [pod for pod in inventory.pods if is_unschedulable(pod)]
        self._budgets = by_namespace(inventory.budgets)
        self._unusable: dict[str, str] = {}
        self._on_node: dict[str, list[DrainPod]] = {}
        self.cache = Cache()
        for node in inventory.nodes:
            self._add_node(node)
        for pod in inventory.pods:
            if pod.spec.node_name and not pod.is_terminal:
                self._add_pod(pod)
        self._repellers = find_repellers(pod for pods in self._on_node.values() for pod in pods)
        self.uses = tuple(
            self._use(node, pool)
            for node in sorted(inventory.nodes, key=lambda node: node.name)
            if (pool := rules.pools.pool_of(node)) is not None
        )

    def _add_node(self, node: DrainNode) -> None:
        self._unusable[node.name] = why_unusable(node)
        try:
            self.cache.set_node(node)
        except InvalidObject as error:
            self._unusable[node.name] = f"the node cannot be read: {error}"

    def _add_pod(self, pod: DrainPod) -> None:
        try:
            self.cache.set_pod(pod)
        except InvalidObject as error:
            self._unreadable.append(f"pod {pod.key} cannot be read: {error}")
            return
        self._on_node.setdefault(pod.spec.node_name, []).append(pod)

    def _use(self, node: DrainNode, pool: Pool) -> NodeUse:
        slot, count = self.cache.view.slot(node.name), len(self._on_node.get(node.name, ()))
        if slot is None:
            return NodeUse(node.name, pool, count, 0, 0)
        view = self.cache.view
        return NodeUse(node.name, pool, count, int(view.usage[CPU][slot]), int(view.allocatable[CPU][slot]))

    # ---- what there is to do

    @property
    def places(self) -> list[str]:
        """The spot nodes that can take pods, the fullest first."""
        return [name for name in fullest_spot_first(self.uses) if not self._unusable[name]]

    @property
    def candidates(self) -> list[str]:
        """The on-demand nodes, the emptiest first."""
        return emptiest_on_demand_first(self.uses)

    def why_not_at_all(self) -> str:
        """Return why no node is drained, whatever is on it, or nothing."""
        if self._unreadable:
            return f"{self._unreadable[0]}; no node is drained while an object that could matter is not understood"
        if self._waiting:
            return _waiting(self._waiting)
        if not self.candidates:
            return "there is no on-demand node; --on-demand-node-label says which label they have"
        if not self.places:
            return "there is no spot node that can take pods; --spot-node-label says which label they have"
        return ""

    # ---- one node

    def plan_node(self, name: str, cycle: Cycle) -> Drain | str:
        """Return how to drain a node, or why that cannot be; what is planned stays assumed."""
        if self._unusable[name]:
            return self._unusable[name]
        movable, stays = [], []
        for pod in self._on_node.get(name, ()):
            found = fate_of(pod, self._rules.drain)
            if found.fate == "holds":
                return f"{pod.key} {found.why}"
            if found.fate == "moves":
                movable.append(pod)
            else:
                stays.append(Stay(pod.key, found.why))
        if not movable:
            return "there is nothing to move"
        return over_budget(movable, self._budgets) or self._place_all(name, movable, tuple(stays), cycle)

    def _place_all(self, name: str, pods: list[DrainPod], stays: tuple[Stay, ...], cycle: Cycle) -> Drain | str:
        moves: list[Move] = []
        for pod in pods:
            if why := repelled(pod, self._repellers):
                return f"{pod.key} has no place that is certain: {why}"
        for pod in sorted(pods, key=self._size):
            move = self._place(pod, cycle)
            if move.decision.node is None:
                for done in (move, *reversed(moves)):
                    self._undo(done)
                return f"{pod.key} has no place on a spot node: {move.decision.message}"
            moves.append(move)
        return Drain(name, tuple(moves), stays)

    def _size(self, pod: DrainPod) -> tuple[int, int, str]:
        """Sort by what is asked for, the most first."""
        vector = self.cache.pod_info(pod, placed=True).requests.vector
        return (-int(vector[CPU]), -int(vector[MEMORY]), pod.key)

    def _place(self, pod: DrainPod, cycle: Cycle) -> Move:
        self.cache.remove_pod(pod)
        info = self.cache.pod_info(made_again(pod))
        decision = cycle.decide(info, self.cache.view, Context())
        if decision.node is not None:
            self.cache.assume(info, decision.node)
        # The columns of a decision are those of the live view; what is kept is what stays true.
        return Move(pod, replace(decision, filtered=None, scored=None, view=None))

    def _undo(self, move: Move) -> None:
        self.cache.forget(move.decision.pod)
        self.cache.set_pod(move.pod)


def emptiest_on_demand_first(nodes: Sequence[NodeUse]) -> list[str]:
    """Return the on-demand nodes in the order in which they are tried: the least requested CPU first."""
    found = [use for use in nodes if use.pool == "on-demand"]
    return [use.name for use in sorted(found, key=lambda use: (use.requested, use.name))]


def fullest_spot_first(nodes: Sequence[NodeUse]) -> list[str]:
    """Return the spot nodes, the most requested CPU first."""
    found = [use for use in nodes if use.pool == "spot"]
    return [use.name for use in sorted(found, key=lambda use: (-use.requested, use.name))]


def made_again(pod: DrainPod) -> DrainPod:
    """Return a pod as its controller would make it again: on no node, and with no past."""
    return replace(pod, spec=replace(pod.spec, node_name=""), status=PodStatus())


def is_unschedulable(pod: DrainPod) -> bool:
    """Tell whether a pod waits because it fits nowhere."""
    conditions = pod.status.conditions or ()
    return (
        not pod.spec.node_name
        and not pod.is_terminal
        and not pod.is_terminating
        and any(c.type == "PodScheduled" and c.status == "False" and c.reason == "Unschedulable" for c in conditions)
    )


def _waiting(pods: Sequence[DrainPod]) -> str:
    first = min(pod.key for pod in pods)
    who = f"the pod {first} fits" if len(pods) == 1 else f"{len(pods)} pods such as {first} fit"
    return f"{who} nowhere; no node is drained while pods wait for room"
