"""An in-memory Kubernetes API for trying and testing; not a production API server.

resources, identity, timestamps    what is served; names and times as values
stored, collection, selection, events_as    objects, their history, who watches what
store (and reading, its read half) the store: list, watch, create, update, delete
writes, admission, pod_defaults, shapes, validation, deletion    the rules of writing
bindings, evictions, scale         subresources that are more than a part of an object
in_process                         the `Cluster` that schedulers act on, without a socket
standins                           kubelet and controllers, as far as a demo needs them
nodes                              nodes for a demo
"""
