"""Run `roost` and sample where its CPU time goes: `python -m benchmarks.sampled SAMPLES run --kubeconfig …`.

From the line that says it is in sync, at every tick of the process' CPU clock (the kernel's: mostly 4 ms), the
Python stack is written to the file SAMPLES by `faulthandler`, inside the signal handler. So the stack is that of this
very moment: time in C counts for the Python frame that called it, and time in the event loop itself, which no frame
called, has only the frames that run the loop. A garbage collection writes a line when it begins and when it ends.

While modules are being loaded, looking at the stack from a signal handler can crash the process: that is why it does
not begin earlier.
"""

import atexit
import faulthandler
import gc
import logging
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
    logging.getLogger("roost").addFilter(_when_in_sync)
    atexit.register(signal.setitimer, signal.ITIMER_PROF, 0.0)


def _when_in_sync(record: logging.LogRecord) -> bool:
    if record.getMessage().startswith("in sync"):
        signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
    return True


if __name__ == "__main__":
    main()
