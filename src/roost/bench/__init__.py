"""Measures schedulers by the workloads of upstream's scheduler_perf: the core, a cluster in memory, or a real one."""
