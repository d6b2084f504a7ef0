"""What `roost new policy` writes: a small package that works, with its names replaced by those of the new policy.

The templates are that package, called my-policy, my_policy and MyPolicy.
"""

import keyword
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from roost.config.catalogue import is_built_in
from roost.errors import ConfigError
from roost.version import __version__

TEMPLATES = Path(__file__).parent / "templates" / "policy"
_SUFFIX = ".template"
_LONGEST = 50
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
_USED = frozenset({"Args", "Node", "Pod"})
"""What the policy itself imports."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


class Names(Struct, frozen=True):
    """The names of a policy: cheap-nodes, cheap_nodes, CheapNodes."""

    project: str
    module: str
    type: str

    def put_into(self, text: str) -> str:
        """Return the text of a template, or its path, with these names."""
        changes = {
            "my-policy": self.project, "my_policy": self.module, "MyPolicy": self.type, "ROOST_VERSION": __version__
        }  # fmt: skip
        return re.sub("|".join(changes), lambda found: changes[found[0]], text)


def names_from(given: str) -> Names:
    """Return the names that follow from one of them; raises ConfigError if they cannot be used."""
    if not _NAME.fullmatch(given) or len(given) > _LONGEST:
        raise ConfigError(
            f"NAME: {given!r} is no name of a policy; write up to {_LONGEST} letters and digits such as cheap-nodes or "
            "CheapNodes, beginning with a letter"
        )
    words = [word for part in re.split("[-_]", given) for word in _WORD.findall(part)]
    names = Names(
        project="-".join(words).lower(),
        module="_".join(words).lower(),
        type="".join(word[0].upper() + word[1:] for word in words),
    )
    _check(names)
    return names


def _check(names: Names) -> None:
    if is_built_in(names.type):
        raise ConfigError(f"NAME: {names.type} is a plugin of Roost or of kube-scheduler; choose another name")
    if names.type in _USED:
        raise ConfigError(f"NAME: every policy uses the {names.type} of Roost; choose another name")
    if keyword.iskeyword(names.module) or names.module in sys.stdlib_module_names or _is_installed(names.module):
        raise ConfigError(
            f"NAME: Python has {names.module} already; choose another name, such as {names.module}-policy"
        )


def _is_installed(module: str) -> bool:
    """Tell whether Python would find another module of this name; a folder without code is none."""
    found = find_spec(module)
    return found is not None and found.origin is not None


def write_package(names: Names, folder: Path) -> Sequence[Path]:
    """Write the package; return its files. Raises ConfigError if the folder has anything in it or cannot be written."""
    texts = {folder / names.put_into(path): names.put_into(text) for path, text in _templates()}
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder} is there already; remove it, or name another folder with --output")
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return list(texts)


def _templates() -> Iterator[tuple[str, str]]:
    """Yield the path of each file within the package, and its text."""
    for path in sorted(TEMPLATES.rglob(f"*{_SUFFIX}")):
        yield str(path.relative_to(TEMPLATES)).removesuffix(_SUFFIX), path.read_text(encoding="utf-8")


def next_steps(names: Names, folder: Path, files: Sequence[Path]) -> str:
    """Return what was written, and what to do with it."""
    return "\n".join(
        [
            *(f"wrote {file}" for file in files),
            "",
            f"The policy is {names.type} in {folder / names.module}.py. Next:",
            f"  cd {folder}",
            "  python -m pytest",
            f"  roost demo --policy {names.module}:{names.type}",
            "and what else README.md says.",
        ]
    )
