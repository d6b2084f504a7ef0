"""The recorded scores of the replaced extenders, through the whole server: no cluster, the original paths."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.extender.asking import Ask, said, scores, serving

GOLDEN = Path(__file__).parents[1] / "golden"
SAFE, CONGESTION, PIGEON = (
    json.loads((GOLDEN / f"{name}.json").read_text()) for name in ("safe_server", "congestion", "pigeon_server")
)
OVERFLOW = -(2**63)
"""What not-a-number came to there; ours is 0."""


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Set the variables of a recorded server."""
    monkeypatch.chdir(tmp_path)
    for name in ("SAFEUTILIZATION", "SAFEPERCENTILE", "SAFEFORECASTWEIGHT", "CONGESTION_FACTOR_MAX", "NUM_RESOURCES"):
        monkeypatch.delenv(name, raising=False)

    def set_up(env: dict[str, str], *, has_file: bool = False) -> None:
        for name, text in env.items():
            monkeypatch.setenv(name, text)
        if has_file:
            (tmp_path / "pigeon.cfg").write_text("policyResourceIndex = 0\npolicyObjective = A_BINPACK\n")

    return set_up


@pytest.mark.parametrize("env", SAFE["envs"])
async def test_safe(env: str, surroundings: Any) -> None:
    surroundings(SAFE["envs"][env])
    async with serving("SafeOverload", "SafeBalance", compat="original") as ask:
        for row in SAFE["results"]:
            if row["env"] == env:
                await compare_safe(ask, row)


async def compare_safe(ask: Ask, row: dict[str, Any]) -> None:
    body = {"Pod": SAFE["pods"][row["pod"]], "Nodes": {"items": SAFE["nodes"]}}
    kept = said(await ask("POST", "/scheduler/predicates/safe-overload", body))["Nodes"]["items"]
    assert [one["metadata"]["name"] for one in kept] == row["filter_passed"]
    for path, recorded in (("safe-overload", row["safe_overload"]), ("safe-balance", row["safe_balance"])):
        found = scores(await ask("POST", f"/scheduler/priorities/{path}", body))
        assert found == {name: max(score, 0) for name, score in recorded.items()}


@pytest.mark.parametrize("env", CONGESTION["envs"])
async def test_congestion(env: str, surroundings: Any) -> None:
    surroundings(CONGESTION["envs"][env])
    recorded = {name: score for name, score in CONGESTION["scores"][env].items() if name[:1] not in ("<", "a")}
    nodes = [{"metadata": {"name": f"n{text}", "annotations": {"congestion-factor": text}}} for text in recorded]
    async with serving("Congestion", compat="original") as ask:
        answer = await ask("POST", "/scheduler/priorities/congestion", {"Pod": {}, "Nodes": {"items": nodes}})
    assert scores(answer) == {f"n{text}": score for text, score in recorded.items()}


@pytest.mark.parametrize("run", PIGEON["runs"])
async def test_pigeon(run: str, surroundings: Any) -> None:
    recorded = PIGEON["runs"][run]
    surroundings(recorded["env"], has_file=recorded["cwd_has_pigeon_cfg"])
    pods = {one["metadata"]["name"]: one for one in PIGEON["pods"]}
    async with serving("PigeonHoling", compat="original") as ask:
        for row in recorded["results"]:
            body = {"Pod": pods[row["pod"]], "Nodes": {"items": PIGEON["nodes"]}}
            assert scores(await ask("POST", "/scheduler/priorities/pigeon-holing", body)) == row["scores"], row["pod"]
