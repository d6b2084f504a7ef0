"""Run `roost` and sample where its CPU time goes: `python -m benchmarks.sampled SAMPLES run --kubeconfig …`.

At every tick of the process' CPU clock (the kernel's: 4 ms on most machines) the Python stack is written to the file
SAMPLES by `faulthandler`, inside the signal handler. So the stack is that of this very moment: time in C counts for the
Python frame that called it, and time in the event loop itself, which no frame called, has only the frames that run the
loop. A garbage collection writes a line when it begins and when it ends.
"""

import atexit
import faulthandler
import gc
import os
import signal
import sys
from pathlib import Path

TICK_SECONDS = 0.001
BEGIN_COLLECTION, END_COLLECTION = "collection begins", "collection ends"
STACK = "(most recent call first):"


def main() -> None:
    """Sample, and be the command."""
    with Path(sys.argv.pop(1)).open("ab", buffering=0) as samples:
        _sample_into(samples.fileno())
        from roost.cli.start import main as roost

        roost()


def _sample_into(samples: int) -> None:
    def note(phase: str, _: dict[str, int]) -> None:
        os.write(samples, f"{BEGIN_COLLECTION if phase == 'start' else END_COLLECTION}\n".encode())

    gc.callbacks.append(note)
    faulthandler.register(signal.SIGPROF, file=samples, all_threads=False)
    signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
    atexit.register(signal.setitimer, signal.ITIMER_PROF, 0.0)


if __name__ == "__main__":
    main()
