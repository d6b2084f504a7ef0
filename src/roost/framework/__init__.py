"""The plugin contract and the pure scheduling cycle: pod and view in, Decision out."""
