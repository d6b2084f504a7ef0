"""For tests, also those of users: builders of objects by keyword, and conformance with kube-scheduler's decisions."""

from roost.testing.builders import node, pod

__all__ = ["node", "pod"]
