"""What the containers of an overlay are told, so that they can run as processes on this machine.

    manifests ─► Pod: programs (words and variables), files of ConfigMaps ─► on_this_machine: ports, paths, addresses

`tryit.py` runs extenders this way without an image, and the end-to-end tests run everything.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

OVERLAYS = Path(__file__).parent / "overlays"
SCHEDULER = "my-scheduler-ctr"

Object = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A container: the words of its command and arguments, and its variables."""

    name: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Pod:
    """The pod of a Deployment: what runs in it, and the files that it finds, by their path."""

    account: str
    namespace: str
    programs: tuple[Program, ...]
    files: Mapping[str, str]

    @property
    def scheduler(self) -> Program:
        return next(program for program in self.programs if program.name == SCHEDULER)

    @property
    def extenders(self) -> list[Program]:
        return [program for program in self.programs if program.name != SCHEDULER]

    @property
    def port_numbers(self) -> list[int]:
        """Every port that somebody in the pod listens on."""
        named = [port for program in self.programs for port in program.ports.values()]
        return [*named, *(int(p.env["HTTP_PORT"]) for p in self.programs if "HTTP_PORT" in p.env)]

    def on_this_machine(self, folder: Path, ports: Mapping[int, int]) -> "Pod":
        """Write the files into a folder, and return the pod with their paths, other ports, and loopback addresses."""
        paths = {path: str(folder / Path(path).name) for path in self.files}

        def moved(text: str) -> str:
            text = re.sub(r"\b\d{4,5}\b", lambda found: str(ports.get(int(found[0]), found[0])), text)
            return text.replace("0.0.0.0", "127.0.0.1")

        def placed(word: str) -> str:
            for path, there in paths.items():
                word = word.replace(path, there)
            return word

        files = {paths[path]: moved(text) for path, text in self.files.items()}
        for path, text in files.items():
            Path(path).write_text(text)
        programs = [
            replace(
                program,
                words=tuple(placed(moved(word)) for word in program.words),
                env={name: moved(value) for name, value in program.env.items()},
                ports={name: ports.get(port, port) for name, port in program.ports.items()},
            )
            for program in self.programs
        ]
        return replace(self, programs=tuple(programs), files=files)


def build(folder: Path, kubectl: str) -> list[Object]:
    """Return the objects of a kustomization."""
    built = subprocess.run([kubectl, "kustomize", str(folder)], check=True, stdout=subprocess.PIPE, text=True)
    return [document for document in yaml.safe_load_all(built.stdout) if document]


def pod_of(objects: Iterable[Object]) -> Pod:
    """Return the pod of the one Deployment called my-scheduler."""
    objects = list(objects)
    (deployment,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == ("Deployment", "my-scheduler"))
    spec = deployment["spec"]["template"]["spec"]
    return Pod(
        account=spec["serviceAccountName"],
        namespace=deployment["metadata"]["namespace"],
        programs=tuple(_program(container) for container in spec["containers"]),
        files=dict(_files(spec, objects)),
    )


def _program(container: Object) -> Program:
    env = {entry["name"]: entry["value"] for entry in container.get("env", ())}

    def expanded(word: str) -> str:
        return re.sub(r"\$\((\w+)\)", lambda found: env.get(found[1], found[0]), word)

    words = (*container.get("command", ()), *container.get("args", ()))
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    return Program(container["name"], tuple(map(expanded, words)), env, ports)


def _files(spec: Object, objects: Iterable[Object]) -> Iterable[tuple[str, str]]:
    """Yield path and text of the files that ConfigMaps bring into the containers."""
    config_maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    volumes = {volume["name"]: volume["configMap"]["name"] for volume in spec.get("volumes", ())}
    for container in spec["containers"]:
        for mount in container.get("volumeMounts", ()):
            for name, text in config_maps[volumes[mount["name"]]].items():
                yield f"{mount['mountPath']}/{name}", text
