"""`roost version`."""

import typer

from roost.version import __version__


def version() -> None:
    """Print the version of Roost."""
    typer.echo(f"roost {__version__}")
