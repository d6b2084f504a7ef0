"""A1: the annotations that k8s-assessor was recorded writing, by the function that stands for it."""

import json
from pathlib import Path

import pytest

from roost.annotator.original import original_allocation, parse_quantity

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "assessor.json").read_text())


def test_a1_the_patches_of_the_assessor_to_the_letter() -> None:
    pods = [{**pod, "spec": {**pod["spec"], "nodeName": pod["spec"]["node_name"]}} for pod in GOLDEN["pods"]]
    expected = {patch["node"]: patch["body"]["metadata"]["annotations"] for patch in GOLDEN["patches"]}
    assert original_allocation(GOLDEN["nodes"], pods) == expected


@pytest.mark.parametrize("text", GOLDEN["parse_quantity"], ids=repr)
def test_a1_its_quantities(text: str) -> None:
    expected = GOLDEN["parse_quantity"][text]
    if "error" in expected:
        with pytest.raises(ValueError, match=r"unknown suffix|Invalid number format"):
            parse_quantity(text)
    else:
        found = parse_quantity(text)
        assert {"decimal": str(found), "int": int(found)} == expected
