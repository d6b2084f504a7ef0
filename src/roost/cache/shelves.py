"""The free volumes of each storage class, arranged so that the smallest that fits is found without looking at all."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import TypeVar

from roost.api.quantity import billionths
from roost.api.storage import PersistentVolume
from roost.framework.storage import Entry, Shelf
from roost.framework.volume_matching import affinity_of, one_label

K = TypeVar("K")
Shape = tuple[str, str, frozenset[str]]


class Shelves:
    """Volumes by what claims choose them by; one that names a claim is kept for that."""

    def __init__(self) -> None:
        self._shelves: dict[str, dict[Shape, Shelf]] = {}
        self._kept: dict[str, list[str]] = {}
        self._volumes: dict[str, PersistentVolume] = {}

    def of_class(self, name: str) -> Iterable[Shelf]:
        """Return the shelves of a storage class."""
        return self._shelves.get(name, {}).values()

    def kept_for(self, claim: str) -> Sequence[str]:
        """Return the names of the volumes that name a claim, in their order."""
        return self._kept.get(claim, ())

    def put(self, name: str, volume: PersistentVolume | None) -> None:
        """Take over a volume as it is now, None if it is gone."""
        old = self._volumes.pop(name, None)
        if old is not None:
            self._take_out(old)
        if volume is not None:
            self._volumes[name] = volume
            self._put_in(volume)

    def _put_in(self, volume: PersistentVolume) -> None:
        if volume.spec.claim_ref is not None:
            insort(self._kept.setdefault(_claim(volume), []), volume.name)
        elif _is_free(volume):
            shape = _shape(volume)
            shelf = self._shelves.setdefault(volume.class_name, {}).setdefault(shape, Shelf(*shape, {}, {}))
            entry = (billionths(volume.storage), volume.name)
            label = one_label(affinity_of(volume))
            if label is None:
                insort(shelf.others.setdefault(affinity_of(volume), []), entry)
                return
            for value in set(label.values or ()):
                insort(shelf.by_label.setdefault(label.key, {}).setdefault(value, []), entry)

    def _take_out(self, volume: PersistentVolume) -> None:
        if volume.spec.claim_ref is not None:
            self._kept[_claim(volume)].remove(volume.name)
            if not self._kept[_claim(volume)]:
                del self._kept[_claim(volume)]
        elif _is_free(volume):
            shelves = self._shelves[volume.class_name]
            shelf, entry = shelves[_shape(volume)], (billionths(volume.storage), volume.name)
            label = one_label(affinity_of(volume))
            if label is None:
                _remove(shelf.others, affinity_of(volume), entry)
            else:
                for value in set(label.values or ()):
                    _remove(shelf.by_label[label.key], value, entry)
                if not shelf.by_label[label.key]:
                    del shelf.by_label[label.key]
            if not shelf.others and not shelf.by_label:
                del shelves[_shape(volume)]


def _claim(volume: PersistentVolume) -> str:
    ref = volume.spec.claim_ref
    return "" if ref is None else f"{ref.namespace}/{ref.name}"


def _is_free(volume: PersistentVolume) -> bool:
    return volume.status.phase == "Available" and volume.metadata.deletion_timestamp is None


def _shape(volume: PersistentVolume) -> Shape:
    spec = volume.spec
    return spec.volume_mode, spec.volume_attributes_class_name or "", frozenset(spec.access_modes or ())


def _remove(entries: dict[K, list[Entry]], key: K, entry: Entry) -> None:
    of_key = entries[key]
    del of_key[bisect_left(of_key, entry)]
    if not of_key:
        del entries[key]
