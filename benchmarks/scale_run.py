"""The whole `roost run` on a large cluster: a scripted API server serves the lists and takes the bindings."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from benchmarks.core import Figures
from benchmarks.scale_loaded import memory
from benchmarks.scale_objects import World
from benchmarks.scale_server import Times, serve

PATIENCE_SECONDS = 300.0


def run(world: World) -> Figures:
    """Return when the first and the last pod were bound after the process was started, its CPU and its memory."""
    context = get_context("spawn")
    pipe, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, world), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{pipe.recv()}"
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        command = [sys.executable, "-m", "roost", "run", "--server", url]
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            times = _until_bound(pipe, process, world.pending, Path(log.name))
            return {
                "nodes": world.nodes,
                "placed pods": world.placed,
                "pending pods": world.pending,
                "MB of JSON in lists": times.sent / 1e6,
                "s in which the server makes them": times.making,
                "s from process start to the first request": times.first_request - started,
                "s from the first list to the first bind": times.first_bind - times.first_request,
                "s from the first bind to the last": times.last_bind - times.first_bind,
                "bindings per second": times.bound / max(times.last_bind - times.first_bind, 1e-9),
                "s of CPU": _cpu_seconds(process.pid),
                "MiB of memory now": memory("VmRSS", str(process.pid)),
                "MiB of memory at the peak": memory("VmHWM", str(process.pid)),
            }
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            pipe.send("end")
            server.join(10)


def _until_bound(pipe: Pipe, process: "subprocess.Popen[bytes]", pods: int, log: Path) -> Times:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pipe.send("times")
        times: Times = pipe.recv()
        if times.bound >= pods:
            time.sleep(2)
            return times
        if process.poll() is not None:
            sys.exit(f"roost run ended:\n{log.read_text()}")
        time.sleep(0.1)
    sys.exit(f"not all pods were bound within {PATIENCE_SECONDS:g} s:\n{log.read_text()[-2000:]}")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
