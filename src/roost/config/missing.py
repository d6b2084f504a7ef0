"""Default plugins of kube-scheduler that Roost does not have yet: naming one does no harm, and is said once.

They are left out of the defaults, so a configuration that reweights one of them loses nothing that another would have.
Pods that need one are refused by NotYetSupported, not bound without it.
"""

import logging

import msgspec

from roost.config.configuration import FIELD_OF, Plugins, PluginSet, ProfileConfiguration
from roost.config.default_plugins import DEFAULT_PLUGINS
from roost.plugins.registry import REGISTRY

MISSING = DEFAULT_PLUGINS.keys() - REGISTRY.keys()
"""The names that are in kube-scheduler's default profile and not in Roost."""

logger = logging.getLogger(__name__)


def without_missing(profile: ProfileConfiguration, path: str) -> ProfileConfiguration:
    """Return a profile without what it says of default plugins that Roost does not have, with a warning for each."""
    named = {entry.name for point in FIELD_OF for entry in profile.plugins.at(point).enabled}
    named |= {config.name for config in profile.plugin_config}
    for name in sorted(named & MISSING):
        logger.warning(
            "%splugins: %s is not supported yet and is left out; pods that require it are refused", path, name
        )
    return msgspec.structs.replace(
        profile,
        plugins=Plugins(**{field: _present(profile.plugins.at(point)) for point, field in FIELD_OF.items()}),
        plugin_config=tuple(config for config in profile.plugin_config if config.name not in MISSING),
    )


def _present(plugins: PluginSet) -> PluginSet:
    enabled = tuple(entry for entry in plugins.enabled if entry.name not in MISSING)
    return PluginSet(enabled=enabled, disabled=plugins.disabled)
