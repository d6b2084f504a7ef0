"""The recorded cases of kube-scheduler, explained: the same answers, and what to do for pods that do not fit."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost.analysis.explanation import explain
from roost.analysis.kinds import ADDERS
from roost.analysis.snapshot import Snapshot
from roost.analysis.suggestions import find_suggestions
from roost.analysis.trial import Trial
from roost.api.pod import Pod
from roost.config.profiles import profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.testing.conformance import evaluate

Case = dict[str, Any]
CASES = Path(__file__).parents[1] / "conformance" / "cases"
BY_PLURAL = {add.kind.plural: add for add in ADDERS}


def cases() -> list[Case]:
    files = [path for path in sorted(CASES.glob("*.jsonl.gz")) if not path.name.startswith("sequence")]
    return [json.loads(line) for path in files for line in gzip.open(path, "rt", encoding="utf-8")]


ALL = cases()
REJECTED = [case for case in ALL if case["expected"]["result"] == "unschedulable"]


def snapshot_of(case: Case) -> Snapshot:
    snapshot = Snapshot()
    for plural, objects in case["objects"].items():
        add = BY_PLURAL[plural.lower()]
        for obj in msgspec.convert(objects, list[add.kind.type]):
            add.add(snapshot, obj)
    assert not snapshot.unreadable
    return snapshot


@pytest.mark.parametrize("case", ALL[::13], ids=lambda case: case["name"])
def test_the_plain_answer_is_that_of_the_decision(case: Case) -> None:
    snapshot, pod = snapshot_of(case), msgspec.convert(case["pod"], Pod)
    cycle = Cycle(profile_from_fragment(case["config"]))
    answer = explain(cycle, snapshot.pod_info(pod), snapshot.cache.view, Context()).answer
    expected = evaluate(case)
    assert answer["result"] == expected["result"]
    if answer["result"] != "gated":
        assert answer == expected


def test_pods_that_do_not_fit_get_a_suggestion_or_a_proof_that_there_is_none() -> None:
    found: Counter[str] = Counter()
    for case in REJECTED:
        snapshot, pod = snapshot_of(case), msgspec.convert(case["pod"], Pod)
        cycle = Cycle(profile_from_fragment(case["config"]))
        explanation = explain(cycle, snapshot.pod_info(pod), snapshot.cache.view, Context())
        if explanation.outcome != "unschedulable":
            found["not rejected"] += 1
            continue
        search = find_suggestions(Trial(snapshot, cycle, pod, Context()), explanation.groups)
        found["suggestion" if search.suggestions else "proof" if search.complete else "nothing"] += 1
    helped = found["suggestion"] + found["proof"]
    assert helped >= 0.95 * (found.total() - found["not rejected"]), found
    assert found["suggestion"] > 0.6 * found.total(), found
