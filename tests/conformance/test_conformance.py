"""Every recorded case, decided by Roost and compared with kube-scheduler's answer part by part (see README.md)."""

import copy
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.testing.conformance import evaluate

FAMILIES = ("resources", "resize", "scoring", "taints", "unschedulable", "nodeaffinity", "ports", "images", "gates")
PREEMPTION = re.compile(r" (no new claims to deallocate, )?preemption: ")
Case = dict[str, Any]
Differences = Iterator[str]


def cases(family: str) -> list[Case]:
    with gzip.open(Path(__file__).parent / "cases" / f"{family}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


CASES = [case for family in FAMILIES for case in cases(family)]


# ---- comparing


def in_result(expected: Any, got: Any) -> Differences:
    if expected != got:
        yield f"kube-scheduler: {expected!r}, Roost: {got!r}"


def in_fit_error(expected: str | None, got: str | None) -> Differences:
    yield from in_result(*(text and PREEMPTION.split(text)[0] for text in (expected, got)))


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


COMPARED: dict[str, Callable[[Any, Any], Differences]] = {
    "result": in_result,
    "preEnqueue": in_status,
    "preFilter": in_status,
    "nodes": in_nodes,
    "scores": in_scores,
    "best": lambda expected, got: in_result(sorted(expected), sorted(got)),
    "fitError": in_fit_error,
    "error": in_result,
}


def differences(expected: Case, got: Case) -> list[str]:
    return [f"{key}: {text}" for key, compare in COMPARED.items() for text in compare(expected[key], got[key])]


def _complete(verdict: Case | None) -> Case | None:
    """Fill in the plugin, which is absent where no plugin was asked."""
    return verdict if verdict is None or verdict["feasible"] else {"plugin": "", **verdict}


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


# ---- tests


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_decides_as_kube_scheduler_did(case: Case) -> None:
    got = evaluate({key: value for key, value in case.items() if key != "expected"})
    assert got is not None
    found = differences(case["expected"], got)
    assert not found, "\n".join(["Roost differs from kube-scheduler in", *found])


def test_there_are_five_hundred_cases_of_every_result_but_error() -> None:
    assert len({case["name"] for case in CASES}) == 500
    assert {case["expected"]["result"] for case in CASES} == {"scheduled", "unschedulable", "gated"}


def test_an_answer_has_every_part_that_is_compared_and_no_other() -> None:
    assert set(evaluate(CASES[0]) or ()) == set(COMPARED)


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
    ],
)
def test_no_difference_goes_unnoticed(spoil: Callable[[Case], None]) -> None:
    case = next(case for case in CASES if 0 < len(case["expected"]["scores"]) < len(case["expected"]["nodes"]))
    spoilt = copy.deepcopy(case["expected"])
    spoil(spoilt)
    assert differences(case["expected"], case["expected"]) == []
    assert len(differences(case["expected"], spoilt)) == 1


def test_what_preemption_had_to_say_is_not_compared() -> None:
    fit_error = "0/1 nodes are available: 1 Too many pods."
    for end in (" preemption: not helpful", " no new claims to deallocate, preemption: 0/1 nodes are available: 1 x."):
        assert list(in_fit_error(fit_error + end, fit_error)) == []
    assert list(in_fit_error(f"{fit_error} preemption: no", "0/1 nodes are available: 1 Insufficient cpu.")) != []
