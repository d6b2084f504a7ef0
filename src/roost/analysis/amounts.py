"""Amounts of resources as people and manifests write them: 500m, 2, 1.5Gi."""

_BINARY = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_BYTES = ("memory", "ephemeral-storage", "hugepages-")


def written(resource: str, amount: int) -> str:
    """Return an amount for people: CPU in cores, bytes with two digits and a binary suffix."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    if resource == "cpu":
        return f"{sign}{amount}m" if amount % 1000 else f"{sign}{amount // 1000}"
    if resource.startswith(_BYTES):
        for suffix, unit in _BINARY:
            if amount >= unit:
                return f"{sign}{amount / unit:.2f}".rstrip("0").rstrip(".") + suffix
    return f"{sign}{amount}"


def spelled(resource: str, amount: int) -> str:
    """Return an amount for a manifest: never more than it is, bytes rounded down by less than 1 %."""
    if resource == "cpu":
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    if resource.startswith(_BYTES):
        for suffix, unit in _BINARY:
            if amount >= unit and (amount % unit) * 100 < amount:
                return f"{amount // unit}{suffix}"
    return str(amount)
