"""What learning policies have learnt so far, which is theirs to compute and ours to keep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roost.framework.ask import ask
from roost.framework.memory import LiveView
from roost.framework.pod_info import PodInfo

MOST_PODS = 65_536
"""How many pods are remembered as learnt from; the first are forgotten first."""


class Lessons:
    """One lesson from each pod: at its first prioritize that gives some node more than 0.

    A policy under `compat: original` learns at every prioritize, as the program that it replaces.
    """

    def __init__(self, most_pods: int = MOST_PODS) -> None:
        self.learnt: dict[str, Any] = {}
        self._most_pods = most_pods
        self._learnt_from: dict[tuple[str, str], None] = {}

    def take(
        self, learners: Sequence[Any], pod: PodInfo, view: LiveView, parts: Mapping[str, NDArray[np.int64]]
    ) -> None:
        """Have policies learn from a pod that they have just scored; raises PluginError."""
        for plugin in learners:
            if plugin.name in parts and self._is_new(plugin, pod, bool((parts[plugin.name] > 0).any())):
                self.learnt[plugin.name] = ask(plugin, plugin.learn, self.learnt.get(plugin.name), pod, view)

    def _is_new(self, plugin: Any, pod: PodInfo, fits_somewhere: bool) -> bool:
        if getattr(plugin.args, "is_original", False):
            return True
        key = (plugin.name, pod.uid or pod.key)
        if not fits_somewhere or key in self._learnt_from:
            return False
        self._learnt_from[key] = None
        if len(self._learnt_from) > self._most_pods:
            del self._learnt_from[next(iter(self._learnt_from))]
        return True
