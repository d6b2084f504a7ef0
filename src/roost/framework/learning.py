"""What the learning policies of one profile have learnt so far: theirs to compute, the driver's to keep."""

from typing import Any

from roost.framework.ask import ask
from roost.framework.plugin import LearningPlugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.view import View


class Learning:
    """Learns from each pod that is placed; `learnt` is what `Context` hands to the policies, by their names."""

    def __init__(self, profile: Profile) -> None:
        self.learnt: dict[str, Any] = {}
        self._plugins: list[Any] = [
            scorer.plugin for scorer in profile.score if isinstance(scorer.plugin, LearningPlugin)
        ]

    def learn(self, pod: PodInfo, view: View) -> None:
        """Have every policy learn from a pod that has just got its node; raises PluginError."""
        for plugin in self._plugins:
            self.learnt[plugin.name] = ask(plugin, plugin.learn, self.learnt.get(plugin.name), pod, view)
