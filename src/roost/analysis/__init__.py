"""Plans and questions about a cluster, answered by the decision core: values in, values out, nothing is touched."""
