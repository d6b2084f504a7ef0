"""Configuration: kube-scheduler's own KubeSchedulerConfiguration in, profiles of ready plugins out.

`load` reads a file into the types of `configuration`; `profiles` builds from them what a cycle runs. This is the only
room that knows which plugins exist.
"""
