"""Plans and questions about a cluster, answered by the decision core: values in, values out, nothing is touched.

cluster = roost.analysis.load(Path("dump.json").read_bytes())
forecast = roost.analysis.drain(cluster, "node-3")
"""

from roost.analysis.forecast import Forecast
from roost.analysis.load import load
from roost.analysis.snapshot import Snapshot
from roost.analysis.what_if import add, drain, with_policy

__all__ = ["Forecast", "Snapshot", "add", "drain", "load", "with_policy"]
