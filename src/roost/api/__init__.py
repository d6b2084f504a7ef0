"""Kubernetes objects as frozen values, and the pure rules on them: quantities, selectors, tolerations, requests."""
