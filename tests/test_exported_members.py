"""The names that users import; taking one away or adding one is to be seen here, and told in the change log."""

import inspect
import subprocess
import sys

import pytest

import roost
import roost.analysis
import roost.cache
import roost.framework.plugin
import roost.framework.pod_info
import roost.framework.resources
import roost.framework.status
import roost.framework.view
import roost.simulator
import roost.testing


@pytest.mark.parametrize(
    ("module", "names"),
    [
        pytest.param(roost, ["__version__", "decide", "simulate"], id="roost"),
        pytest.param(roost.simulator, ["Simulation", "decide", "simulate"], id="roost.simulator"),
        pytest.param(
            roost.analysis, ["Forecast", "Snapshot", "add", "drain", "load", "with_policy"], id="roost.analysis"
        ),
        pytest.param(roost.testing, ["node", "pod"], id="roost.testing"),
        pytest.param(roost.cache, ["Cache", "Change"], id="roost.cache"),
    ],
)
def test_a_public_module_exports_these_names_and_no_others(module: object, names: list[str]) -> None:
    assert sorted(module.__all__) == names
    for name in names:
        assert getattr(module, name) is not None


PLUGIN_AUTHORS_IMPORT = {
    roost.framework.plugin: """
        MAX_NODE_SCORE Args Context Verdicts OnlyNodes PreFilterAnswer Scores Plugin EXTENSION_POINTS default_normalize
        PreEnqueuePlugin QueueSortPlugin PreFilterPlugin FilterPlugin PostFilterPlugin PreScorePlugin ScorePlugin
        NormalizePlugin ReservePlugin PermitPlugin PreBindPlugin BindPlugin PostBindPlugin
    """,
    roost.framework.status: "Code Status SUCCESS SKIP unschedulable unresolvable",
    roost.framework.view: "View Rows ALL LabelColumn ImageColumn Bool Int16 Int32",
    roost.framework.pod_info: "PodInfo PARTS HostPort",
    roost.framework.resources: "PODS CPU MEMORY EPHEMERAL_STORAGE Int64",
}


@pytest.mark.parametrize("module", PLUGIN_AUTHORS_IMPORT, ids=lambda module: module.__name__)
def test_what_authors_of_plugins_import_is_there(module: object) -> None:
    missing = [name for name in PLUGIN_AUTHORS_IMPORT[module].split() if not hasattr(module, name)]
    assert missing == []


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        pytest.param(roost.decide, "pod nodes pods policy *seed", id="decide"),
        pytest.param(roost.simulate, "nodes pods policy *seed", id="simulate"),
        pytest.param(
            roost.testing.pod,
            "name *namespace *cpu *memory *requests *image *host_ports *labels *node_name *node_selector *tolerations "
            "*priority *gates *scheduler_name *uid *metadata *spec *status",
            id="pod",
        ),
        pytest.param(
            roost.testing.node,
            "name *cpu *memory *pods *allocatable *labels *annotations *taints *unschedulable *images",
            id="node",
        ),
    ],
)
def test_public_functions_take_these_arguments(function: object, signature: str) -> None:
    parameters = inspect.signature(function).parameters.values()
    taken = [f"*{one.name}" if one.kind is one.KEYWORD_ONLY else one.name for one in parameters]
    assert " ".join(taken) == signature


def test_an_unknown_name_is_an_attribute_error_as_everywhere() -> None:
    with pytest.raises(AttributeError, match="module 'roost' has no attribute 'schedule'"):
        roost.schedule  # noqa: B018


def test_importing_roost_loads_neither_numpy_nor_the_client() -> None:
    """Start-up is part of speed: what the command does not use it does not load."""
    script = (
        "import sys, roost; print([name for name in ('numpy', 'yaml', 'typer', 'roost.client') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert roost.__version__ == version("roost")
