"""What must hold of a configuration's extenders, and what they change in its profiles. The rules are kube-scheduler's.

Stricter than there is what would fail at the first pod: a URL that is none, and certificates that cannot be used.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec.structs import replace

from roost.config.configuration import Extender, ExtenderTLS, PluginConfig, ProfileConfiguration

Problem = tuple[str, str]
"""The path of a field and what is wrong with it."""

_FIT = "NodeResourcesFit"
_LONGEST_PREFIX = 253
_LONGEST_NAME = 63
_LARGEST = 2**63 - 1
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_QUOTA_PREFIX = "requests."


def extender_problems(extenders: Sequence[Extender]) -> Iterator[Problem]:
    """Find what is wrong with the extenders of a configuration."""
    for i, extender in enumerate(extenders):
        path = f"extenders[{i}]"
        yield from _url_problems(f"{path}.urlPrefix", extender.url_prefix)
        if extender.prioritize_verb and extender.weight <= 0:
            yield f"{path}.weight", "must be greater than 0 where there is a prioritizeVerb"
        if abs(extender.weight) > _LARGEST:
            yield f"{path}.weight", "must fit into 64 bits"
        yield from ((f"{path}.tlsConfig{field}", problem) for field, problem in _tls_problems(extender.tls_config))
    yield from _binder_problems(extenders)
    yield from _resource_problems(extenders)


def ignored_resources(extenders: Sequence[Extender]) -> tuple[str, ...]:
    """Return the resources that the scheduler is to leave to extenders."""
    return tuple(one.name for extender in extenders for one in extender.managed_resources if one.ignored_by_scheduler)


def ignoring(profile: ProfileConfiguration, resources: Sequence[str]) -> ProfileConfiguration:
    """Return a profile whose NodeResourcesFit does not check some resources; what else it ignores stays."""
    if not resources:
        return profile
    configs = list(profile.plugin_config)
    at = next((i for i, config in enumerate(configs) if config.name == _FIT), None)
    if at is None:
        configs.append(PluginConfig(name=_FIT, args={"ignoredResources": list(resources)}))
    else:
        written = configs[at].args.get("ignoredResources") or []
        if isinstance(written, list):  # else it is a mistake, which reading the arguments will tell
            args = configs[at].args | {
                "ignoredResources": [*written, *(one for one in resources if one not in written)]
            }
            configs[at] = PluginConfig(name=_FIT, args=args)
    return replace(profile, plugin_config=tuple(configs))


def _url_problems(path: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        yield path, f"{url!r} is not a URL such as http://127.0.0.1:8080/scheduler"
    elif parts.query or parts.fragment:
        yield path, "must end before any ? or #, since the verbs are put behind it"


def _tls_problems(tls: ExtenderTLS) -> Iterator[Problem]:
    for field, data in (("certData", tls.cert_data), ("keyData", tls.key_data), ("caData", tls.ca_data)):
        try:
            b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            yield f".{field}", "must be PEM text in base64"
    if bool(tls.cert_data or tls.cert_file) != bool(tls.key_data or tls.key_file):
        yield "", "needs both a certificate (certFile or certData) and its key (keyFile or keyData), or neither"
    if tls.insecure and (tls.ca_data or tls.ca_file):
        yield ".insecure", "must not be true where caFile or caData says whom to trust"


def _binder_problems(extenders: Sequence[Extender]) -> Iterator[Problem]:
    binders = [i for i, extender in enumerate(extenders) if extender.bind_verb]
    for i in binders[1:]:
        yield f"extenders[{i}].bindVerb", f"only one extender can bind, and extenders[{binders[0]}] does"


def _resource_problems(extenders: Sequence[Extender]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for i, extender in enumerate(extenders):
        for j, resource in enumerate(extender.managed_resources):
            path = f"extenders[{i}].managedResources[{j}].name"
            if not is_extended_resource_name(resource.name):
                yield path, f"{resource.name!r} is not the name of an extended resource, such as example.com/gpu"
            elif resource.name in seen:
                yield path, f"{resource.name} is managed by {seen[resource.name]} already"
            seen.setdefault(resource.name, f"extenders[{i}]")


def is_extended_resource_name(name: str) -> bool:
    """Tell whether a name is that of a resource which is not Kubernetes' own, and could stand in a quota."""
    prefix, slash, own = name.partition("/")
    return bool(
        slash
        and "kubernetes.io/" not in name
        and not name.startswith(_QUOTA_PREFIX)
        and len(_QUOTA_PREFIX + prefix) <= _LONGEST_PREFIX
        and len(own) <= _LONGEST_NAME
        and _PREFIX.fullmatch(prefix)
        and _NAME.fullmatch(own)
    )
