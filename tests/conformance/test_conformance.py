"""Every recorded case, decided by Roost and compared with kube-scheduler's answer part by part (see README.md)."""

import copy
import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.testing.conformance import evaluate

FOLDER = Path(__file__).parent / "cases"
FAMILIES = tuple(sorted(path.name.removesuffix(".jsonl.gz") for path in FOLDER.iterdir()))
Case = dict[str, Any]
Differences = Iterator[str]


def cases(family: str) -> list[Case]:
    with gzip.open(FOLDER / f"{family}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


CASES = [case for family in FAMILIES for case in cases(family)]
JUDGED = [case for case in CASES if "placements" not in case["expected"]]


# ---- comparing


def in_result(expected: Any, got: Any) -> Differences:
    if expected != got:
        yield f"kube-scheduler: {expected!r}, Roost: {got!r}"


def in_status(expected: Case | None, got: Case | None) -> Differences:
    """Compare who said what; the order of reasons and of node names means nothing."""
    yield from in_result(
        *(status and {key: _sorted(value) for key, value in status.items()} for status in (expected, got))
    )


def in_nodes(expected: Case, got: Case) -> Differences:
    for name in sorted(expected.keys() | got.keys()):
        verdicts = (expected.get(name), got.get(name))
        yield from (f"{name}: {text}" for text in in_status(*(_complete(verdict) for verdict in verdicts)))


def in_scores(expected: Case, got: Case) -> Differences:
    yield from in_result(sorted(expected), sorted(got))
    for node in sorted(expected.keys() & got.keys()):
        yield from (f"{node}: {text}" for text in in_score(expected[node], got[node]))


def in_score(expected: Case, got: Case) -> Differences:
    yield from (f"total: {text}" for text in in_result(expected["total"], got["total"]))
    for plugin in sorted(expected["plugins"].keys() | got["plugins"].keys()):
        weighted = (answer["plugins"].get(plugin, 0) for answer in (expected, got))
        yield from (f"{plugin}: {text}" for text in in_result(*weighted))
    for plugin in sorted(expected["raw"].keys() & got["raw"].keys()):
        yield from (f"{plugin}, raw: {text}" for text in in_result(expected["raw"][plugin], got["raw"][plugin]))


def in_plan(expected: Case | None, got: Case | None) -> Differences:
    """Compare what preemption found, candidate by candidate."""
    if expected is None or got is None:
        yield from in_result(expected, got)
        return
    for key in sorted(expected.keys() | got.keys()):
        yield from (f"{key}: {text}" for text in in_result(expected.get(key), got.get(key)))


COMPARED: dict[str, Callable[[Any, Any], Differences]] = {
    "result": in_result,
    "preEnqueue": in_status,
    "preFilter": in_status,
    "nodes": in_nodes,
    "scores": in_scores,
    "best": lambda expected, got: in_result(sorted(expected), sorted(got)),
    "fitError": in_result,
    "error": in_result,
    "preemption": in_plan,
}


def differences(expected: Case, got: Case) -> list[str]:
    if "placements" in expected:
        return list(in_placements(expected["placements"], got["placements"]))
    return [f"{key}: {text}" for key, compare in COMPARED.items() for text in compare(expected[key], got[key])]


def in_placements(expected: list[Case], got: list[Case]) -> Differences:
    """Compare pod by pod up to the first difference: the pods after it were placed in another cluster."""
    for place, pair in enumerate(itertools.zip_longest(expected, got)):
        found = list(in_result(*pair))
        if found:
            yield f"pod {place}: {found[0]}"
            return


def _complete(verdict: Case | None) -> Case | None:
    """Fill in the plugin, which is absent where no plugin was asked."""
    return verdict if verdict is None or verdict["feasible"] else {"plugin": "", **verdict}


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


# ---- tests


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_decides_as_kube_scheduler_did(case: Case) -> None:
    got = evaluate({key: value for key, value in case.items() if key != "expected"})
    found = differences(case["expected"], got)
    assert not found, "\n".join(["Roost differs from kube-scheduler in", *found])


def test_there_are_thirteen_hundred_cases_of_every_result_but_error() -> None:
    assert (len(FAMILIES), len(CASES), len({case["name"] for case in CASES})) == (23, 1312, 1312)
    assert {case["expected"]["result"] for case in JUDGED} == {"scheduled", "unschedulable", "gated"}


def test_an_answer_has_every_part_that_is_compared_and_no_other() -> None:
    assert set(evaluate(CASES[0])) == set(COMPARED)


def wrong_reason(answer: Case) -> None:
    next(verdict for verdict in answer["nodes"].values() if not verdict["feasible"])["reasons"].append("because")


def wrong_weighted_score(answer: Case) -> None:
    next(iter(answer["scores"].values()))["plugins"]["NodeResourcesFit"] += 1


def wrong_raw_score(answer: Case) -> None:
    next(iter(answer["scores"].values()))["raw"]["NodeResourcesFit"] += 1


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda answer: answer.update(result="gated"), id="another result"),
        pytest.param(lambda answer: answer.update(preEnqueue={"code": "Unschedulable"}), id="a gate that is not there"),
        pytest.param(lambda answer: answer["preFilter"].update(nodeNames=["a"]), id="a search narrowed to other nodes"),
        pytest.param(lambda answer: answer["nodes"].popitem(), id="a node without a verdict"),
        pytest.param(wrong_reason, id="one more reason"),
        pytest.param(lambda answer: answer["scores"].popitem(), id="a node without scores"),
        pytest.param(wrong_weighted_score, id="a weighted score off by one"),
        pytest.param(wrong_raw_score, id="a raw score off by one"),
        pytest.param(lambda answer: answer.update(best=[]), id="other best nodes"),
        pytest.param(lambda answer: answer.update(fitError="0/3 nodes are available: 3 a."), id="a fit error"),
        pytest.param(lambda answer: answer.update(error="no"), id="an error"),
        pytest.param(lambda answer: answer.update(preemption={"code": "Success"}), id="a plan where there was none"),
    ],
)
def test_no_difference_goes_unnoticed(spoil: Callable[[Case], None]) -> None:
    case = next(case for case in JUDGED if 0 < len(case["expected"]["scores"]) < len(case["expected"]["nodes"]))
    spoilt = copy.deepcopy(case["expected"])
    spoil(spoilt)
    assert differences(case["expected"], case["expected"]) == []
    assert len(differences(case["expected"], spoilt)) == 1


PREEMPTED = next(case for case in JUDGED if len((case["expected"]["preemption"] or {}).get("candidates", ())) > 1)
PLACED = next(case for case in CASES if "placements" in case["expected"])


@pytest.mark.parametrize(
    ("case", "spoil"),
    [
        pytest.param(PREEMPTED, lambda answer: answer["preemption"]["victims"].append("a/b"), id="another victim"),
        pytest.param(PREEMPTED, lambda answer: answer["preemption"]["candidates"].popitem(), id="a candidate less"),
        pytest.param(PREEMPTED, lambda answer: answer["preemption"].update(nominatedNode="x"), id="another node"),
        pytest.param(PREEMPTED, lambda answer: answer["preemption"].update(message="no"), id="another message"),
        pytest.param(PLACED, lambda answer: answer["placements"][5].update(node="x"), id="a pod placed elsewhere"),
        pytest.param(PLACED, lambda answer: answer["placements"].pop(), id="a pod less"),
    ],
)
def test_no_difference_of_plans_and_placements_goes_unnoticed(case: Case, spoil: Callable[[Case], Any]) -> None:
    spoilt = copy.deepcopy(case["expected"])
    spoil(spoilt)
    assert differences(case["expected"], case["expected"]) == []
    assert len(differences(case["expected"], spoilt)) == 1
