"""Kubernetes scheduling policies in Python: decide, simulate, schedule and extend — always with the reason why."""

from typing import TYPE_CHECKING, Any

from roost.version import __version__

if TYPE_CHECKING:
    from roost.simulator import decide, simulate

__all__ = ["__version__", "decide", "simulate"]


def __getattr__(name: str) -> Any:
    # Late, so that `import roost.client` and the command start without loading what they do not use.
    if name in ("decide", "simulate"):
        from roost import simulator

        return getattr(simulator, name)
    raise AttributeError(f"module 'roost' has no attribute '{name}'")
