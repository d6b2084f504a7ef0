"""Where the workloads are: files of the package, or of the checkout that it runs from, or one that the user names."""

from collections.abc import Mapping
from pathlib import Path

from roost.bench.workload import Numbers, Workload, WorkloadFile, read_workload, read_workload_file
from roost.config.decode import nearest
from roost.errors import ConfigError

_INSTALLED = Path(__file__).parent / "workloads"
_CHECKOUT = Path(__file__).parents[3] / "benchmarks" / "workloads"
_FILE = (".yaml", ".yml")


def find_workload(wanted: str, overrides: Numbers | None = None) -> Workload:
    """Return the workload that `NAME`, `NAME/SIZE`, `FILE.yaml` or `FILE.yaml/SIZE` names.

    Raises ConfigError.
    """
    path, size = _file_named(wanted)
    if path is None:
        name, _, size = wanted.partition("/")
        known = workload_paths()
        if name not in known:
            raise ConfigError(f"no workload is called {name}{nearest(name, known)}; roost bench --list shows them")
        path = known[name]
    return read_workload(_read(path), size, overrides, file=str(path))


def list_workloads() -> list[WorkloadFile]:
    """Return all workloads that come with Roost, in all their sizes, by name; raises ConfigError."""
    return [read_workload_file(_read(path), file=str(path)) for path in workload_paths().values()]


def workload_paths() -> Mapping[str, Path]:
    """Return the files of the workloads that come with Roost, by their names; raises ConfigError if there are none."""
    folder = next((one for one in (_INSTALLED, _CHECKOUT) if one.is_dir()), None)
    if folder is None:
        raise ConfigError(f"the workloads are not installed: {_INSTALLED} is missing; name a file of your own")
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _file_named(wanted: str) -> tuple[Path | None, str]:
    for ending in _FILE:
        head, found, size = wanted.partition(ending)
        if found and (not size or size.startswith("/")):
            return Path(head + ending), size.removeprefix("/")
    return None, ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no text") from error
