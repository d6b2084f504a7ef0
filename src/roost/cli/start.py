"""Where the command begins: `roost run` with plain options starts at once, everything else with Typer.

Every error that Roost raises on purpose becomes one sentence on standard error and the exit code of its class. Anything
else is a bug and keeps its traceback.
"""

import os
import sys

from roost.errors import RoostError


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here multiplies matrices; threads cost 60 ms to start
    try:
        if sys.argv[1:2] != ["run"] or not _run_plainly(sys.argv[2:]):
            from roost.cli.main import app

            app()
    except RoostError as error:
        print(f"roost: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _run_plainly(arguments: list[str]) -> bool:
    """Run the scheduler, if that is all that is asked for."""
    from roost.cli.run_options import plain_options, start

    options = plain_options(arguments)
    if options is not None:
        start(options)
    return options is not None
