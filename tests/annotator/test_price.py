"""Prices from a file."""

import os
from pathlib import Path

import pytest
from tests.annotator.building import annotated_node

from roost.annotator.price import HIGHTOWER_KEY, PRICE_KEY, PriceAnnotator, PriceFile, read_prices, written_price
from roost.errors import ConfigError, SourceError

YAML = """\
nodes:
  a: 0.05
  b: "1.60"
selectors:
  - selector: size=big,zone in (x, y)
    price: 0.8
  - {selector: size, price: 1e-1}
"""
CSV = 'node, selector, price\na,,0.05\nb,,1.60\n,"size=big,zone in (x, y)",0.8\n,size,1e-1\n'
JSON = """\
{
  "nodes": {"a": 0.05, "b": "1.60"},
  "selectors": [{"selector": "size=big,zone in (x, y)", "price": 0.8}, {"selector": "size", "price": "1e-1"}]
}
"""


@pytest.mark.parametrize(("text", "is_csv"), [(YAML, False), (JSON, False), (CSV, True)], ids=["yaml", "json", "csv"])
@pytest.mark.parametrize(
    ("name", "labels", "price"),
    [
        pytest.param("a", {}, "0.05", id="by name"),
        pytest.param("b", {"size": "big"}, "1.60", id="the name goes before selectors"),
        pytest.param("c", {"size": "big", "zone": "y"}, "0.8", id="by selector"),
        pytest.param("c", {"size": "big", "zone": "z"}, "1e-1", id="by the first selector that selects it"),
        pytest.param("c", {}, None, id="not in the file"),
    ],
)
def test_what_a_node_costs(text: str, is_csv: bool, name: str, labels: dict[str, str], price: str | None) -> None:
    assert read_prices(text, is_csv=is_csv).of(annotated_node(name, labels=labels)) == price


@pytest.mark.parametrize(
    ("text", "is_csv", "sentence"),
    [
        ("", False, "write a mapping with nodes (name: price) or selectors (a list), or both"),
        ("[1]", False, "write a mapping with nodes (name: price) or selectors (a list), or both"),
        ("prices: {}", False, "write a mapping with nodes (name: price) or selectors (a list), or both"),
        ("nodes: [a]", False, "nodes: is no mapping of names to prices"),
        ("selectors: {a: 1}", False, "selectors: is no list"),
        ("selectors: [{price: 1}]", False, "selectors[0]: write a mapping with selector and price"),
        ("selectors: [{selector: 'a=b=c', price: 1}]", False, "selectors[0]: label selector 'a=b=c' cannot be read"),
        ("nodes: {a: cheap}", False, "nodes.a: the price is 'cheap'; write a decimal number from 0 up, such as 0.05"),
        ("nodes: {a: -1}", False, "nodes.a: the price is '-1'"),
        ("nodes: {a: .nan}", False, "nodes.a: the price is 'nan'"),
        ("nodes: {a: true}", False, "nodes.a: the price is 'True'"),
        ("nodes: {a: 1, a: 2}", False, "line 1, column 15: no valid YAML: a stands here twice"),
        ("nodes: {", False, "line 2, column 1: no valid YAML"),
        ("", True, "line 1: write the heading node,price or selector,price or node,selector,price"),
        ("name,price\na,1\n", True, "line 1: write the heading"),
        ("node,price\na\n", True, "line 2: has another number of columns than the heading"),
        ("node,price\na,1,2\n", True, "line 2: has another number of columns than the heading"),
        ("node,price\na,\n", True, "line 2: the price is ''"),
        ("node,price\n,1\n", True, "line 2: name either a node or a selector"),
        ("node,selector,price\na,b,1\n", True, "line 2: name either a node or a selector"),
        ("node,price\na,1\na,2\n", True, "line 3: node a has two prices, 1 and 2; leave one"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, is_csv: bool, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_prices(text, is_csv=is_csv)
    assert str(told.value).startswith(sentence)


def write(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, (at, at))


async def test_the_file_is_read_again_when_it_changes_and_kept_when_it_breaks(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    write(path, "nodes: {a: 1}", 1)
    annotator = PriceAnnotator(PriceFile(path), (PRICE_KEY, HIGHTOWER_KEY))

    async def price() -> str | None:
        await annotator.gather([], 0.0)
        return annotator.wanted([annotated_node()], 0.0)["a"].annotations[PRICE_KEY]

    assert await price() == "1"
    write(path, "nodes: {a: 2}", 2)
    assert await price() == "2"
    write(path, "nodes: {a: two}", 3)
    with pytest.raises(SourceError, match=r"prices\.yaml: nodes\.a: the price is 'two'"):
        await price()
    assert annotator.wanted([annotated_node()], 0.0)["a"].annotations == {PRICE_KEY: "2", HIGHTOWER_KEY: "2"}
    path.unlink()
    with pytest.raises(SourceError, match=r"cannot read the prices of .*: No such file"):
        await price()
    write(path, "nodes: {a: 3}", 4)
    assert await price() == "3"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the prices of .*nothing: No such file or directory"):
        PriceFile(tmp_path / "nothing")


def test_the_suffix_says_that_a_file_is_csv_and_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "prices.CSV"
    path.write_bytes("\ufeffnode,price\na,1\n".encode())
    assert PriceFile(path).prices.by_name == {"a": "1"}


def test_what_a_node_says_of_its_price() -> None:
    assert written_price(annotated_node()) == ""
    assert written_price(annotated_node(labels={PRICE_KEY: "2"})) == "2"
    assert written_price(annotated_node(annotations={HIGHTOWER_KEY: "3"})) == "3"
    assert written_price(annotated_node(annotations={PRICE_KEY: "1"}, labels={PRICE_KEY: "2"})) == "1"
