"""Extenders over HTTP: the server that a kube-scheduler asks, and what it answers with."""
