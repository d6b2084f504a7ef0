"""The kinds of objects that explaining reads, and how a snapshot takes each over; dumps hold these and no others."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from roost.analysis.snapshot import Snapshot, Take
from roost.api import draining, explaining, kinds
from roost.api.kinds import Kind
from roost.cache import Cache


class Add(Struct, frozen=True):
    """A kind, and what adds an object of it to a snapshot; `vital` kinds are those without which nothing is decided."""

    kind: Kind[Any]
    add: Callable[[Snapshot, Any], None]
    vital: bool = False


def _taken(kind: Kind[Any], take: Take) -> Add:
    return Add(kind, lambda snapshot, obj: snapshot.add_other(kind.name, obj, take))


def _made_by(kind: Kind[Any], take: Take | None = None) -> Add:
    def add(snapshot: Snapshot, obj: Any) -> None:
        snapshot.add_maker(kind.name, obj)
        if take is not None:
            snapshot.add_other(kind.name, obj, take)

    return Add(kind, add)


def _claim(snapshot: Snapshot, claim: Any) -> None:
    snapshot.add_claim(claim)
    snapshot.add_other(kinds.PERSISTENT_VOLUME_CLAIM.name, claim, Cache.set_storage)


def _storage_class(snapshot: Snapshot, storage_class: Any) -> None:
    snapshot.add_storage_class(storage_class)
    snapshot.add_other(kinds.STORAGE_CLASS.name, storage_class, Cache.set_storage)


def _budget(snapshot: Snapshot, budget: Any) -> None:
    snapshot.add_budget(budget)
    snapshot.add_other(draining.DISRUPTION_BUDGET.name, budget, Cache.set_budget)


ADDERS: Sequence[Add] = (
    Add(kinds.NODE, Snapshot.add_node, vital=True),
    Add(draining.DRAIN_POD, Snapshot.add_pod, vital=True),
    _taken(kinds.NAMESPACE, Cache.set_namespace),
    _taken(kinds.SERVICE, Cache.set_controller),
    _taken(kinds.REPLICATION_CONTROLLER, Cache.set_controller),
    _made_by(kinds.REPLICA_SET, Cache.set_controller),
    _made_by(kinds.STATEFUL_SET, Cache.set_controller),
    _made_by(explaining.DEPLOYMENT),
    _made_by(explaining.DAEMON_SET),
    _made_by(explaining.JOB),
    _taken(kinds.PERSISTENT_VOLUME, Cache.set_storage),
    Add(kinds.PERSISTENT_VOLUME_CLAIM, _claim),
    Add(kinds.STORAGE_CLASS, _storage_class),
    _taken(kinds.CSI_NODE, Cache.set_storage),
    _taken(kinds.CSI_DRIVER, Cache.set_storage),
    _taken(kinds.CSI_STORAGE_CAPACITY, Cache.set_storage),
    _taken(kinds.VOLUME_ATTACHMENT, Cache.set_storage),
    _taken(kinds.DEVICE_CLASS, Cache.set_device_class),
    Add(draining.DISRUPTION_BUDGET, _budget),
    Add(explaining.PRIORITY_CLASS, Snapshot.add_priority_class),
    Add(kinds.LEASE, Snapshot.add_lease),
    Add(explaining.EVENT, Snapshot.add_event),
)
"""In the order in which they are listed and dumped."""
