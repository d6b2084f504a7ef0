"""What nodes cost, from a file: by name, or by the labels that nodes of one price share.

    nodes:                                                   # a node's own price goes first
      node-1: 0.05
    selectors:                                               # then the first that selects it
      - selector: node.kubernetes.io/instance-type=m7i.large
        price: 0.1008

or as CSV with a heading, `node,price` or `selector,price` or all three. A price is a decimal number from 0 up, and is
written as the file has it. Nodes that the file does not price are left alone.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from roost.annotator.nodes import AnnotatedNode
from roost.annotator.plan import Wanted
from roost.api.labels import parse_label_selector, requirement_matches
from roost.api.selectors import Requirement
from roost.config.documents import read_document
from roost.errors import ConfigError, InvalidObject, SourceError
from roost.framework.cluster import Cluster

PRICE_KEY = "roost.dev/price-per-hour"
HIGHTOWER_KEY = "hightower.com/cost"

_PRICE = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COLUMNS = {"node", "selector", "price"}


class Prices(Struct, frozen=True):
    """Prices by node name, and by selectors in the order in which they are tried."""

    by_name: Mapping[str, str]
    by_selector: tuple[tuple[tuple[Requirement, ...], str], ...] = ()

    def of(self, node: AnnotatedNode) -> str | None:
        """Return the price of a node as it is written; None if it has none."""
        if node.name in self.by_name:
            return self.by_name[node.name]
        for requirements, price in self.by_selector:
            if all(requirement_matches(one, node.labels) for one in requirements):
                return price
        return None


def written_price(node: AnnotatedNode) -> str:
    """Return the price that a node says, as an annotation or a label; empty if it says none."""
    texts = (place.get(key) for key in (PRICE_KEY, HIGHTOWER_KEY) for place in (node.annotations, node.labels))
    return next(filter(None, texts), "")


def read_prices(text: str, *, is_csv: bool) -> Prices:
    """Return the prices in the text of a file; raises ConfigError naming the entry that is wrong."""
    entries = list(_csv_entries(text) if is_csv else _entries(read_document(text)))
    by_name: dict[str, str] = {}
    by_selector = []
    for where, node, selector, price in entries:
        checked = _price(where, price)
        if bool(node) == bool(selector):
            raise ConfigError(f"{where}: name either a node or a selector")
        if selector:
            by_selector.append((_selector(where, selector), checked))
        elif by_name.setdefault(node, checked) != checked:
            raise ConfigError(f"{where}: node {node} has two prices, {by_name[node]} and {checked}; leave one")
    return Prices(by_name, tuple(by_selector))


Entry = tuple[str, str, str, object]
"""Where it stands, node, selector (one of the two is empty), price."""


def _entries(document: Any) -> Iterator[Entry]:
    if not isinstance(document, dict) or not document.keys() <= {"nodes", "selectors"} or not document:
        raise ConfigError("write a mapping with nodes (name: price) or selectors (a list), or both")
    nodes, selectors = document.get("nodes") or {}, document.get("selectors") or []
    if not isinstance(nodes, dict):
        raise ConfigError("nodes: is no mapping of names to prices")
    if not isinstance(selectors, list):
        raise ConfigError("selectors: is no list")
    for name, price in nodes.items():
        yield f"nodes.{name}", str(name), "", price
    for i, entry in enumerate(selectors):
        where = f"selectors[{i}]"
        if not isinstance(entry, dict) or entry.keys() != {"selector", "price"}:
            raise ConfigError(f"{where}: write a mapping with selector and price")
        yield where, "", str(entry["selector"]), entry["price"]


def _csv_entries(text: str) -> Iterator[Entry]:
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = {name.strip() for name in rows.fieldnames or ()}
    if not names <= _COLUMNS or "price" not in names or len(names) < 2:
        raise ConfigError("line 1: write the heading node,price or selector,price or node,selector,price")
    for row in rows:
        where = f"line {rows.line_num}"
        if None in row or None in row.values():
            raise ConfigError(f"{where}: has another number of columns than the heading; quote a selector with commas")
        cells = {name.strip(): cell.strip() for name, cell in row.items()}
        yield where, cells.get("node", ""), cells.get("selector", ""), cells["price"]


def _price(where: str, price: object) -> str:
    text = str(price).strip()
    if isinstance(price, bool) or not isinstance(price, int | float | str) or not _PRICE.fullmatch(text):
        raise ConfigError(f"{where}: the price is {text!r}; write a decimal number from 0 up, such as 0.05")
    return text


def _selector(where: str, text: str) -> tuple[Requirement, ...]:
    try:
        return parse_label_selector(text)
    except InvalidObject as error:
        raise ConfigError(f"{where}: {error}") from error


class PriceFile:
    """The prices of a file, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Read it once; raises ConfigError."""
        self._path = path
        self._seen = self._stamp()
        self.prices = self._read()

    def refresh(self) -> None:
        """Read it again if it has changed; raises SourceError, and the prices stay, if it cannot be used."""
        try:
            if (stamp := self._stamp()) != self._seen:
                self.prices = self._read()
                self._seen = stamp
        except ConfigError as error:
            raise SourceError(str(error)) from error

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise ConfigError(f"cannot read the prices of {self._path}: {error.strerror or error}") from error
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> Prices:
        try:
            return read_prices(self._path.read_text("utf-8-sig"), is_csv=self._path.suffix.lower() == ".csv")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot read the prices of {self._path}: {reason}") from error
        except ConfigError as error:
            raise ConfigError(f"{self._path}: {error}") from error


class PriceAnnotator:
    """Fits `controller.Annotator`: the price of every node that a file prices, under one key or more."""

    at_key = ""
    in_sync = True
    malformed = 0

    def __init__(self, file: PriceFile, keys: Collection[str] = (PRICE_KEY,)) -> None:
        self._file = file
        self._keys = tuple(keys)

    def follow(self, cluster: Cluster, notify: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        """Return nothing: prices depend on nodes alone."""
        return []

    async def gather(self, nodes: Collection[AnnotatedNode], now: float) -> None:
        """Read the file again if it has changed; raises SourceError."""
        self._file.refresh()

    def wanted(self, nodes: Collection[AnnotatedNode], now: float) -> dict[str, Wanted]:
        """Return the prices of the nodes that have one."""
        prices = ((node.name, self._file.prices.of(node)) for node in nodes)
        return {name: Wanted(dict.fromkeys(self._keys, price)) for name, price in prices if price is not None}
