"""What IBM's allocation annotator wrote, to the letter: to compare with what `allocation` writes.

Its amounts are decimals with the digits that multiplying leaves, such as 1610612736.0 for 1.5Gi, which its reader takes
for none. It counts pods of phase Running only, no init containers, no overhead, truncates the CPU of each pod to
milli-cores, and reads the resource `gpu` by that name.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Object = Mapping[str, Any]
RESOURCES = ("cpu", "memory", "pods", "gpu", "ephemeral-storage")

_DECIMAL = {"n": -3, "u": -2, "m": -1, "K": 1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def original_allocation(nodes: Iterable[Object], pods: Iterable[Object]) -> dict[str, dict[str, str]]:
    """Return the annotations by node; pods spell `nodeName` as manifests do. Raises ValueError for an odd quantity."""
    running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
    return {node["metadata"]["name"]: _annotations(node, running) for node in nodes if _is_ready(node)}


def parse_quantity(text: str) -> Decimal:
    """Return a quantity as it was read: suffixes n to E and Ki to Ei, any spelling of Python's decimals."""
    number, base, suffix = text, 1000, ""
    if text.endswith("i"):
        number, base, suffix = text[:-2], 1024, text[-2:-1]
    elif text[-1:] in _DECIMAL:
        number, suffix = text[:-1], text[-1]
    if (suffix and suffix not in _DECIMAL) or (base == 1024 and suffix not in "KMGTPE"):
        raise ValueError(f"{text} has unknown suffix")
    try:
        amount = Decimal(number)
    except InvalidOperation as error:
        raise ValueError(f"Invalid number format: {text}") from error
    return amount * Decimal(base) ** _DECIMAL[suffix] if suffix else amount


def _is_ready(node: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])


def _annotations(node: Object, running: Iterable[Object]) -> dict[str, str]:
    mine = [pod for pod in running if pod["spec"].get("nodeName") == node["metadata"]["name"]]
    texts: dict[str, str] = {}
    for resource in RESOURCES:
        capacity = _amount(resource, node["status"]["allocatable"])
        requested = sum((_of_pod(resource, pod) for pod in mine), start=Decimal(0))
        texts[f"free-{resource}"] = str(max(capacity - requested, Decimal(0)))
        texts[f"requested-{resource}"] = str(requested)
    return texts


def _of_pod(resource: str, pod: Object) -> Decimal:
    if resource == "pods":
        return Decimal(1)
    amounts = (_amount(resource, requests, exact=True) for requests in _requests(pod))
    total = sum(amounts, start=Decimal(0))
    return Decimal(int(total)) if resource == "cpu" else total


def _amount(resource: str, amounts: Object, *, exact: bool = False) -> Decimal:
    amount = parse_quantity(str(amounts.get(resource, "0")))
    if resource != "cpu":
        return amount
    return amount * 1000 if exact else Decimal(int(amount * 1000))


def _requests(pod: Object) -> Iterator[Object]:
    for container in pod["spec"]["containers"]:
        yield (container.get("resources") or {}).get("requests") or {}
