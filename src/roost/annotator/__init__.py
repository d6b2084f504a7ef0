"""Keep what policies read of nodes true: what is requested, what is in use, what a node costs.

nodes            the nodes of a cluster, as a watch tells of them
allocation, usage, price    what a node is to say; each fits `controller.Annotator`
series, window   statistics of a sliding window, as columns
metrics_server, prometheus, http_get    where measured usage comes from
plan             which annotations of which nodes to write: a difference, nothing more
bucket, controller, exposition    writing them, at a measured pace; counts of it
feeder           the same numbers for a cache in this process, without annotations
original         what the annotator that `allocation` replaces wrote, to the letter
"""
