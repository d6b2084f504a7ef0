"""The pages in docs/policies: every policy has one, its examples print what they say, its arguments are described."""

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from roost.api.spot import SPOT_MARKS
from roost.plugins.registry import POLICIES

FOLDER = Path(__file__).parents[3] / "docs" / "policies"
LISTED = dict(re.findall(r"^\| \[(\w+)\]\(([\w-]+\.md)\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE))


def page(policy: str) -> str:
    return (FOLDER / LISTED[policy]).read_text()


def test_every_policy_has_a_page_and_every_page_a_policy() -> None:
    assert LISTED.keys() == POLICIES.keys()
    assert sorted(LISTED.values()) == sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("policy", LISTED)
def test_a_page_says_how_to_run_the_policy(policy: str) -> None:
    assert page(policy).startswith(f"# {policy}\n")
    assert f"$ roost run --policy {policy}\n" in page(policy)
    assert "KubeSchedulerConfiguration" in page(policy)


@pytest.mark.parametrize("policy", LISTED)
def test_every_argument_is_described_and_no_other(policy: str) -> None:
    arguments = [one.encode_name for one in fields(POLICIES[policy].args_type)]
    if not arguments:
        assert "\n## Arguments\n\nNone.\n" in page(policy)
        return
    described = re.search(r"^## Arguments\n\n\| argument .*\n\|[-|]+\n((?:\|.*\n)+)", page(policy), re.MULTILINE)
    assert described is not None
    assert re.findall(r"^\| `(\w+)`", described[1], re.MULTILINE) == arguments


@pytest.mark.parametrize("policy", LISTED)
def test_the_python_examples_print_what_they_say(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", page(policy), re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        exec(example, {})
        assert capsys.readouterr().out.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", example, re.MULTILINE)


def test_the_page_on_spot_nodes_names_every_known_label() -> None:
    assert [label for label in SPOT_MARKS if f"`{label}`" not in page("SpotFirst")] == []
