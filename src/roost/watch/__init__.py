"""Follow the objects of a cluster: list once, then watch, whatever happens to the connection."""
