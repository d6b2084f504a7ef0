"""The laws of the architecture catch who breaks them: violations are planted into a copy of the source."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = "A row imports only the rows below it; rooms of one row are strangers"
PURE = "Sync is pure: no I/O, no clock, no dice where decisions are made"
STRANGERS = "Plugins are strangers to each other"
REGISTRY = "Only config knows which plugins exist"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source and of the laws."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(copy: Path) -> tuple[set[str], str]:
    """Return the contracts that import-linter finds broken, and all that it says."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", copy / "pyproject.toml"]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "COLUMNS": "200"}
    found = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=60)
    contracts = {line.removesuffix(" BROKEN") for line in found.stdout.splitlines() if line.endswith(" BROKEN")}
    assert "Contracts:" in found.stdout, found.stdout + found.stderr
    assert bool(contracts) == bool(found.returncode)
    return contracts, found.stdout


def test_the_source_keeps_all_laws(copy: Path) -> None:
    contracts, text = lint(copy)
    assert not contracts, text


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        pytest.param("plugins/policies/planted", "import asyncio", PURE, id="a plugin does I/O"),
        pytest.param("framework/planted", "import time", PURE, id="the framework looks at the clock"),
        pytest.param("api/planted", "from random import choice", PURE, id="the API throws dice"),
        pytest.param("cache/planted", "import socket", PURE, id="the cache opens a socket"),
        pytest.param("analysis/planted", "import time", PURE, id="a plan looks at the clock"),
        pytest.param("scheduler/queue", "import threading", PURE, id="the queue starts a thread"),
        pytest.param(
            "plugins/intree/planted",
            "from roost.plugins.intree.node_name import NodeName",
            STRANGERS,
            id="a plugin leans on another",
        ),
        pytest.param(
            "plugins/policies/planted",
            "from roost.plugins.intree import node_name",
            STRANGERS,
            id="a policy leans on a plugin",
        ),
        pytest.param(
            "scheduler/planted",
            "from roost.plugins.registry import REGISTRY",
            REGISTRY,
            id="the scheduler names plugins",
        ),
        pytest.param(
            "framework/planted", "def late():\n    import roost.plugins", REGISTRY, id="late imports count as well"
        ),
        pytest.param("cache/planted", "from roost.scheduler import queue", ROWS, id="the cache knows the scheduler"),
        pytest.param("cache/planted", "import roost.config", ROWS, id="two rooms of one row know each other"),
        pytest.param("client/planted", "import roost.cli.main", ROWS, id="the client knows the command line"),
        pytest.param("errors", "from roost.api.pod import Pod", ROWS, id="the lowest row imports something"),
    ],
)
def test_a_planted_import_breaks_the_law_that_forbids_it(copy: Path, module: str, planted: str, contract: str) -> None:
    with (copy / "src" / "roost" / f"{module}.py").open("a") as file:
        file.write(f"\n\n{planted}\n")
    contracts, text = lint(copy)
    assert contract in contracts
    assert f"roost.{module.replace('/', '.')}" in text


CALLS = {
    "time.time": "import time\n\nNOW = time.time()\n",
    "time.monotonic": "from time import monotonic\n\nNOW = monotonic()\n",
    "datetime.datetime.now": "from datetime import datetime\n\nNOW = datetime.now(tz=None)\n",
    "random.random": "import random\n\nDICE = random.random()\n",
    "numpy.random.default_rng": "import numpy as np\n\nDICE = np.random.default_rng()\n",
}


def banned(module: str, text: str) -> list[str]:
    """Return what ruff says of banned calls in a module of this name."""
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--select", "TID251"]
    command += ["--output-format", "concise", "--stdin-filename", str(ROOT / module), "-"]
    found = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=60)
    assert found.stderr == ""
    return found.stdout.splitlines()


@pytest.mark.parametrize("call", CALLS)
def test_clock_and_dice_are_refused_where_decisions_are_made(call: str) -> None:
    for module in ("framework/planted.py", "plugins/policies/planted.py", "cache/planted.py", "scheduler/queue.py"):
        (problem,) = banned(f"src/roost/{module}", CALLS[call])
        assert "TID251" in problem
        assert f"`{call}` is banned" in problem


@pytest.mark.parametrize(
    "module", ["src/roost/scheduler/loop.py", "src/roost/client/planted.py", "tests/test_planted.py"]
)
def test_clock_and_dice_are_free_where_something_happens(module: str) -> None:
    for text in CALLS.values():
        assert banned(module, text) == []
