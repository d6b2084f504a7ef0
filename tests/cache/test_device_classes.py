import msgspec

from roost.api.devices import DeviceClass
from roost.cache import Cache, Change

CHANGED = Change(frozenset({"device_classes"}), "", -1)


def device_class(name: str, resource: str | None = None) -> DeviceClass:
    return msgspec.convert({"metadata": {"name": name}, "spec": {"extendedResourceName": resource}}, DeviceClass)


def test_a_class_maps_the_resource_that_it_names_and_one_of_its_own_name() -> None:
    cache = Cache()
    assert cache.set_device_class(device_class("gpu", "example.com/gpu")) == CHANGED
    assert cache.view.device_resources == {"example.com/gpu": "gpu", "deviceclass.resource.kubernetes.io/gpu": "gpu"}


def test_a_class_that_names_no_resource_maps_the_one_of_its_own_name() -> None:
    cache = Cache()
    cache.set_device_class(device_class("gpu"))
    assert dict(cache.view.device_resources) == {"deviceclass.resource.kubernetes.io/gpu": "gpu"}


def test_only_what_maps_otherwise_is_a_change() -> None:
    cache = Cache()
    gpu = device_class("gpu", "example.com/gpu")
    changes = [cache.set_device_class(gpu), cache.set_device_class(gpu), cache.set_device_class(device_class("gpu"))]
    changes += [cache.remove_device_class(gpu), cache.remove_device_class(gpu)]
    assert changes == [CHANGED, None, CHANGED, CHANGED, None]
    assert cache.view.device_resources == {}


def test_a_resource_stays_mapped_as_long_as_any_class_names_it() -> None:
    cache = Cache()
    old, new = device_class("old", "example.com/gpu"), device_class("new", "example.com/gpu")
    cache.set_device_class(old)
    cache.set_device_class(new)
    cache.remove_device_class(new)
    assert cache.view.device_resources["example.com/gpu"] == "old"
