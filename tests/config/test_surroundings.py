"""Arguments that a policy takes from what its process finds around it, where the configuration gives none."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roost.config.arguments import SURROUNDINGS, make_plugin
from roost.errors import ConfigError
from roost.framework.plugin import Args, Context, Plugin, ScaledArgs, Scores, Surroundings
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View


class QuietArgs(Args):
    """How quiet, and how for."""

    level: int = 5
    for_whom: str = "all"
    colours: tuple[str, ...] = ()


class Quiet(Plugin):
    """Takes its level from a variable and its colours from a file."""

    name = "Quiet"
    args_type = QuietArgs

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        level = around.environ.get("QUIET_LEVEL", "")
        if "level" not in given and level:
            if level.isdecimal():
                found["level"] = int(level)
            else:
                around.warn(f"QUIET_LEVEL: must be a whole number, not '{level}'")
        colours = around.read_file("quiet.cfg")
        if "colours" not in given and colours is not None:
            found["colours"] = colours.split()
        return found

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        return 0


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUIET_LEVEL", raising=False)


def made(**args: Any) -> QuietArgs:
    return make_plugin("Quiet", Quiet, ("pluginConfig[0].args", args) if args else None).args


def test_with_nothing_around_the_defaults_of_the_type_hold() -> None:
    assert made() == QuietArgs()


def test_a_variable_stands_in_for_an_argument_that_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "7")
    assert made() == QuietArgs(level=7)
    assert made(forWhom="me") == QuietArgs(level=7, for_whom="me")


def test_an_argument_that_is_given_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "7")
    assert made(level=0) == QuietArgs(level=0)


def test_an_argument_that_is_null_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "7")
    assert made(level=None) == QuietArgs(level=7)


def test_a_file_of_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "quiet.cfg").write_text("red blue\n")
    assert made() == QuietArgs(colours=("red", "blue"))
    assert made(colours=["green"]) == QuietArgs(colours=("green",))


@pytest.mark.parametrize(
    "spoil", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff")], ids=["a folder", "no text"]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, spoil: Any) -> None:
    spoil(tmp_path / "quiet.cfg")
    with pytest.raises(ConfigError, match=r"^cannot read quiet\.cfg: "):
        made()


def test_a_variable_that_is_of_no_use_is_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "100 %")
    with caplog.at_level(logging.WARNING):
        assert made() == QuietArgs()
    assert caplog.messages == ["QUIET_LEVEL: must be a whole number, not '100 %'"]


def test_a_mistake_among_the_arguments_is_told_as_without_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "7")
    with pytest.raises(ConfigError, match=r"^pluginConfig\[0\]\.args\.lvel: unknown field; did you mean level\?"):
        made(lvel=None)


def test_the_surroundings_are_those_of_the_process_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET_LEVEL", "7")
    assert SURROUNDINGS.environ["QUIET_LEVEL"] == "7"
    assert SURROUNDINGS.read_file("nothing-there") is None


def test_a_plugin_that_looks_at_nothing_has_the_defaults_of_its_type() -> None:
    assert Plugin.defaults(SURROUNDINGS, {}) == {}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(ScaledArgs(), ("percent", 100, False), id="0 to 100 unless it says otherwise"),
        pytest.param(ScaledArgs(scale="extender"), ("extender", 10, False), id="0 to 10 for an extender"),
        pytest.param(ScaledArgs(compat="original"), ("extender", 10, True), id="0 to 10 as the original"),
        pytest.param(ScaledArgs(compat="original", scale="percent"), ("extender", 10, True), id="which goes first"),
    ],
)
def test_the_scale_of_a_policy(args: ScaledArgs, expected: tuple[str, int, bool]) -> None:
    assert (args.effective_scale, args.highest, args.is_original) == expected
