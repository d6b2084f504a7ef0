"""kube-scheduler's default plugins: same names, same semantics, same texts; on columns."""
