"""Taints of nodes and tolerations of pods."""

from roost.api.meta import Value


class Taint(Value):
    """A mark on a node that keeps pods away: NoSchedule, PreferNoSchedule or NoExecute."""

    key: str = ""
    value: str = ""
    effect: str = ""


class Toleration(Value):
    """What a pod puts up with; an empty key with Exists tolerates everything, an empty effect matches all effects."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        """Tell whether this toleration matches the taint (operators Exists and Equal; none means Equal)."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return self.operator in ("", "Equal") and self.key == taint.key and self.value == taint.value
