"""The `roost` command with all its commands, one module each; `roost.cli.start` is where it begins and ends.

Commands import what they need when they run: `roost version` needs no NumPy, and `roost run` neither plots nor paints.
"""

import typer

from roost.cli.annotate import annotate
from roost.cli.bench import bench
from roost.cli.cluster import cluster
from roost.cli.config import config
from roost.cli.demo import demo
from roost.cli.dump import dump
from roost.cli.explain import explain
from roost.cli.extend import extend
from roost.cli.new import new
from roost.cli.plugins import plugins
from roost.cli.rebalance import rebalance
from roost.cli.run import run
from roost.cli.version import version
from roost.cli.whatif import whatif

app = typer.Typer(
    help="Kubernetes scheduling policies in Python: decide where pods run, and say why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(run)
app.command()(extend)
app.command()(cluster)
app.command()(bench)
app.command()(dump)
app.command()(explain)
app.command()(plugins)
app.add_typer(annotate, name="annotate")
app.add_typer(config, name="config")
app.add_typer(new, name="new")
app.add_typer(rebalance, name="rebalance")
app.add_typer(whatif, name="whatif")
app.command()(version)
