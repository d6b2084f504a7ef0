"""An in-memory Kubernetes API for trying and testing; not a production API server.

resources, identity, timestamps    what is served; names and times as values
stored, collection, selection, events_as    objects, their history, who watches what
store (and reading, its read half) the store: list, watch, create, update, delete
writes, admission, pod_defaults, shapes, validation, deletion    the rules of writing
bindings, evictions, scale         subresources that are more than a part of an object
in_process                         the `Cluster` that schedulers act on, without a socket
standins                           kubelet and controllers, as far as a demo needs them
nodes                              nodes for a demo
patch, json_patches, fields, apply the ways to change a part of an object; server-side apply and who owns what
discovery, openapi, reviews        what is served, and who may ask (everybody)
table, table_columns, pod_row, ages    what `kubectl get` shows
requests, negotiation, queries, catalogue, status, render    requests and answers as values
verbs, subresources, patching, answers    one request, one answer: plain functions
watching, asgi, server, kubeconfig the rooms with I/O: streams, the application, the listening server
"""
