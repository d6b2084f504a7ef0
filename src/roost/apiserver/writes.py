"""What every write of an object obeys: names, the server's own metadata, versions, and status apart from the rest."""

from roost.apiserver.refusals import Invalid, bad_request, conflict, invalid, required
from roost.apiserver.resources import STATUS, Resource
from roost.apiserver.stored import Object, Stored

_LONGEST_BASE = 58
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp", "selfLink")
_KEPT = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_BOOKKEEPING = ("resourceVersion", "generation")
_STATUS_WRITES_LABELS = ("Pod", "Node")


def prepare_new(resource: Resource, obj: Object, namespace: str) -> None:
    """Settle a new object's apiVersion, kind and namespace, and drop what only the server sets."""
    _settle_type(resource, obj)
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in _SERVERS_OWN}
    obj["metadata"] = metadata
    _settle_namespace(resource, metadata, namespace)
    if resource.has_status and resource.has_generation:
        obj.pop(STATUS, None)


def generated_name(resource: Resource, metadata: Object, suffix: str) -> str:
    """Return a name for an object that asks for one; refuses (422) one that has neither name nor generateName."""
    base = metadata.get("generateName")
    if not base:
        raise Invalid(resource, "", [required("metadata.name", "name or generateName is required")])
    return f"{base[:_LONGEST_BASE]}{suffix}"


def stamp_new(resource: Resource, obj: Object, uid: str, now: str) -> None:
    """Give a new object what the server gives."""
    metadata = obj["metadata"]
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if resource.has_generation:
        metadata["generation"] = 1


def merge_update(before: Stored, obj: Object, subresource: str) -> Object:
    """Return the next state of an object when somebody writes it, or only its status."""
    resource, old = before.resource, before.object
    _settle_type(resource, obj)
    metadata = metadata_of(obj)
    obj["metadata"] = _with_managers(metadata, old["metadata"])
    _settle_namespace(resource, metadata, before.namespace)
    _check_update(before, metadata)
    if subresource == STATUS:
        return _with_status(resource, old, obj)
    obj["metadata"] = _kept_metadata(old["metadata"], metadata)
    if resource.has_status:
        _keep(obj, old, STATUS)
    return obj


def count_generation(resource: Resource, after: Object, before: Object) -> None:
    """Raise the generation if anything but metadata and status has changed."""
    if resource.has_generation and _intent(after) != _intent(before):
        after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1


def is_equal(before: Object, after: Object) -> bool:
    """Tell whether a write changes nothing that is worth a new version."""
    if before is after:
        return True
    return _without_bookkeeping(before) == _without_bookkeeping(after)


def _settle_type(resource: Resource, obj: Object) -> None:
    kind = obj.setdefault("kind", resource.kind)
    if kind != resource.kind:
        raise bad_request(f"the object provided is a {kind}, and this is where {resource.plural} are written")
    obj["apiVersion"] = resource.api_version


def _settle_namespace(resource: Resource, metadata: Object, namespace: str) -> None:
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    own = metadata.setdefault("namespace", namespace or "default")
    if namespace and own != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _check_update(before: Stored, metadata: Object) -> None:
    resource = before.resource
    if metadata.setdefault("name", before.name) != before.name:
        text = f"the name of the object ({metadata['name']}) does not match the name on the URL ({before.name})"
        raise bad_request(text)
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != before.metadata["uid"]:
        raise conflict(resource.qualified, before.name, precondition_failed("UID", uid, before.metadata["uid"]))
    if version and version != str(before.version):
        raise conflict(resource.qualified, before.name)
    if not version and resource.needs_version:
        cause = invalid("metadata.resourceVersion", "", "must be specified for an update")
        raise Invalid(resource, before.name, [cause])


def metadata_of(obj: Object) -> Object:
    """Return an object's metadata; refuses (400) what cannot be metadata."""
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("the metadata of the object must be a map")
    names = [metadata.get(name, "") for name in ("name", "namespace", "generateName", "uid", "resourceVersion")]
    if not all(isinstance(name, str) for name in names):
        raise bad_request("names, uid and resourceVersion in the metadata must be strings")
    return metadata


def precondition_failed(what: str, asked: str, found: str) -> str:
    """Say which precondition does not hold."""
    return f"Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}"


def _with_managers(metadata: Object, old: Object) -> Object:
    """Keep who applied what when a writer does not say: clients that do not know managedFields leave them out."""
    if not metadata.get("managedFields") and old.get("managedFields"):
        metadata["managedFields"] = old["managedFields"]
    return metadata


def _with_status(resource: Resource, old: Object, obj: Object) -> Object:
    written = obj["metadata"]
    metadata = dict(old["metadata"])
    names = ("annotations", "labels") if resource.kind in _STATUS_WRITES_LABELS else ()
    for name in (*names, "managedFields"):
        _keep(metadata, written, name)
    after = {**old, "metadata": metadata}
    _keep(after, obj, STATUS)
    return after


def _kept_metadata(old: Object, written: Object) -> Object:
    metadata = dict(written)
    for name in _KEPT:
        _keep(metadata, old, name)
    if "deletionTimestamp" in old:
        # What is being deleted takes no new finalizers, it only loses them.
        held = old.get("finalizers") or []
        metadata["finalizers"] = [one for one in metadata.get("finalizers") or [] if one in held]
    return metadata


def _keep(target: Object, source: Object, name: str) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _intent(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", STATUS)}


def _without_bookkeeping(obj: Object) -> Object:
    metadata = {
        key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING and value not in ([], {})
    }
    return {**obj, "metadata": metadata}
