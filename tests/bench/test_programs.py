import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from roost.bench.meters import Meters
from roost.bench.programs import Died, Program, running
from roost.bench.quiet import wait_until_quiet
from roost.bench.schedulers import in_sync
from roost.errors import ConfigError

BUSY = "while True: pass"
PARENT = f"import subprocess, sys; print('up', flush=True); subprocess.run([sys.executable, '-c', {BUSY!r}])"


def python(code: str, log: Path) -> Program:
    return Program([sys.executable, "-c", code], log)


def wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in log.read_text():
        assert time.monotonic() < deadline, f"no {text!r} in {log.read_text()!r}"
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_a_program_that_has_ended_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    program = python("print('no such flag'); raise SystemExit(3)", tmp_path / "log")
    program._popen.wait(10)
    with pytest.raises(Died, match=r"ended with exit code 3; its log ends: no such flag"):
        program.check()
    program.stop()


def test_a_program_that_cannot_be_started_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot start .*nothing: No such file"):
        Program([str(tmp_path / "nothing")], tmp_path / "log")


@pytest.mark.skipif(not Path("/proc").exists(), reason="without /proc there is nothing to see")
def test_children_are_counted_with_their_parent_and_end_with_it(tmp_path: Path) -> None:
    program = python(PARENT, tmp_path / "log")
    try:
        wait_for(tmp_path / "log", "up")
        meters, deadline = Meters({"parent": program.pid}), time.monotonic() + 10
        while meters.cpu()["parent"] < 0.3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert meters.peak_mebibytes()["parent"] > 5
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    finally:
        program.stop()
    assert len(children) == 1
    deadline = time.monotonic() + 10
    while runs(int(children[0])):
        assert time.monotonic() < deadline, "the child is still there"
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc").exists(), reason="without /proc there is nothing to see")
async def test_it_is_quiet_once_nothing_computes_any_more(tmp_path: Path) -> None:
    code = "import time; e = time.monotonic() + 1\nwhile time.monotonic() < e: pass\ntime.sleep(60)"
    async with running([sys.executable, "-c", code], tmp_path / "log") as program:
        began = time.monotonic()
        assert await wait_until_quiet(Meters({"one": program.pid}), limit=20)
        assert time.monotonic() - began > 1.0


@pytest.mark.skipif(not Path("/proc").exists(), reason="without /proc there is nothing to see")
async def test_a_process_that_never_rests_is_told_after_the_limit(tmp_path: Path) -> None:
    async with running([sys.executable, "-c", BUSY], tmp_path / "log") as program:
        assert not await wait_until_quiet(Meters({"one": program.pid}), limit=1.0)


async def test_a_scheduler_is_in_sync_when_its_log_says_so(tmp_path: Path) -> None:
    code = "import time; time.sleep(0.2); print('INFO in sync: 5 nodes', flush=True); time.sleep(60)"
    async with running([sys.executable, "-c", code], tmp_path / "log") as program:
        at = await in_sync(program, 10)
        assert at is not None
        assert at - program.began > 0.2


async def test_a_scheduler_that_dies_before_it_is_in_sync_is_reported(tmp_path: Path) -> None:
    async with running([sys.executable, "-c", "print('wrong flag')"], tmp_path / "log") as program:
        await asyncio.sleep(0.2)
        with pytest.raises(Died, match="wrong flag"):
            await in_sync(program, 10)


def test_the_load_itself_is_always_metered() -> None:
    before = Meters({"gone": 2**22 + os.getpid()}).cpu()
    assert set(before) == {"load"}
    sum(i * i for i in range(300_000))
    assert Meters({}).cpu()["load"] > before["load"]
