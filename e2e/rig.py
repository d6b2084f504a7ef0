"""A real control plane on the loopback interface: etcd and kube-apiserver, others on request."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from e2e.audit import POLICY, AuditLog
from e2e.load import Api
from e2e.pki import Pki, make_pki
from e2e.processes import Process, free_port

Authorization = Literal["AlwaysAllow", "RBAC"]

ADMIN = "admin"
NOBODY = "nobody"
ROOST_ACCOUNT = "system:serviceaccount:roost-system:roost"
GROUPS = {
    ADMIN: ("system:masters",),
    NOBODY: ("system:authenticated",),
    ROOST_ACCOUNT: ("system:serviceaccounts", "system:serviceaccounts:roost-system", "system:authenticated"),
}

# No kubelet and no node controller run here: the first plugin would refuse pods without an account's token, the
# second would taint every node as not ready.
DISABLED_ADMISSION = ("ServiceAccount", "TaintNodesByCondition")
READY_SECONDS = 60.0


def find_assets() -> Path | None:
    """Find the folder with the programs: KUBEBUILDER_ASSETS, else what build.sh made, else None."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if named:
        return Path(named)
    built = built_assets()
    return built if (built / "kube-apiserver").exists() else None


def built_assets() -> Path:
    """Name the folder build.sh builds into."""
    go_sum = Path(__file__).parent / "controlplane" / "go.sum"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "roost" / "controlplane" / hashlib.sha256(go_sum.read_bytes()).hexdigest()[:16]


@dataclass
class ControlPlane:
    """etcd and kube-apiserver with their data in one folder; usable as a context manager."""

    assets: Path
    folder: Path
    authorization: Authorization = "AlwaysAllow"
    disabled_admission: Sequence[str] = DISABLED_ADMISSION
    apiserver_arguments: Sequence[str] = ()
    pki: Pki = field(init=False)
    server: str = field(init=False)
    audit: AuditLog = field(init=False)
    _tokens: dict[str, str] = field(init=False)
    _apis: dict[str, Api] = field(init=False, default_factory=dict)
    _etcd: Process | None = field(init=False, default=None)
    _apiserver: Process | None = field(init=False, default=None)
    _others: list[Process] = field(init=False, default_factory=list)
    _etcd_url: str = field(init=False)
    _port: int = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self.server = f"https://127.0.0.1:{self._port}"
        self.audit = AuditLog(self.folder / "audit.log")
        self._tokens = {user: secrets.token_hex(16) for user in GROUPS}
        self.pki = make_pki(self.folder / "pki")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def api(self) -> Api:
        """The API as the admin sees it."""
        return self.api_for(ADMIN)

    def api_for(self, user: str) -> Api:
        """The API as a user sees it."""
        if user not in self._apis:
            self._apis[user] = Api(self.server, str(self.pki.ca.certificate), self._tokens[user])
        return self._apis[user]

    def start(self) -> None:
        """Start both programs and wait until the API server is ready."""
        self._write_token_file()
        (self.folder / "audit-policy.yaml").write_text(POLICY)
        self._start_etcd()
        self.start_apiserver()

    def stop(self) -> None:
        """Stop everything and remove etcd's data; the logs stay."""
        for process in [*reversed(self._others), self._apiserver, self._etcd]:
            if process is not None:
                process.stop()
        for api in self._apis.values():
            api.close()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def start_apiserver(self) -> None:
        """Start kube-apiserver, at the port and with the data it had before, and wait until it is ready."""
        self._apiserver = self._run("kube-apiserver", self._apiserver_arguments())
        self.wait_until_ready()

    def kill_apiserver(self) -> None:
        """End kube-apiserver with SIGKILL."""
        assert self._apiserver is not None
        self._apiserver.kill()

    def stop_apiserver(self) -> None:
        """End kube-apiserver in order."""
        assert self._apiserver is not None
        self._apiserver.stop()

    def restart_apiserver(self) -> None:
        """End kube-apiserver in order and start it again."""
        self.stop_apiserver()
        self.start_apiserver()

    def wait_until_ready(self) -> None:
        """Wait until /readyz answers 200; fail at once when a program has died."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.api.is_ready():
            for process in (self._etcd, self._apiserver):
                if process is not None and not process.is_alive():
                    raise RuntimeError(f"{process.name} died; its log ends:\n{process.tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the API server is not ready after {READY_SECONDS:g} s; see {self.folder}")
            time.sleep(0.05)

    def start_scheduler(
        self,
        scheduler_name: str,
        user: str = ADMIN,
        *,
        extenders: Sequence[Mapping[str, Any]] = (),
        profile: Mapping[str, Any] | None = None,
        verbosity: int = 0,
    ) -> Process:
        """Start the stock kube-scheduler for pods that name this scheduler, with extenders and more of a profile."""
        config = self._write_yaml(
            f"kube-scheduler-{scheduler_name}.yaml",
            {
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "leaderElection": {"leaderElect": False},
                "clientConnection": {"kubeconfig": str(self.kubeconfig_for(user)), "qps": 5000, "burst": 5000},
                "profiles": [{"schedulerName": scheduler_name, **(profile or {})}],
                "extenders": list(extenders),
            },
        )
        arguments = ["--config", str(config), "--secure-port", "0", f"--v={verbosity}"]
        return self._run_other("kube-scheduler", arguments)

    def start_controller_manager(self, controllers: Sequence[str]) -> Process:
        """Start kube-controller-manager with the named controllers only, e.g. replicaset-controller."""
        arguments = {
            "kubeconfig": self.kubeconfig_for(ADMIN),
            "controllers": ",".join(controllers),
            "leader-elect": "false",
            "secure-port": "0",
            "use-service-account-credentials": "false",
            "service-account-private-key-file": self.pki.service_account_key,
            "root-ca-file": self.pki.ca.certificate,
        }
        return self._run_other("kube-controller-manager", _flags(arguments))

    def kubeconfig_for(self, user: str) -> Path:
        """Write a kubeconfig that signs in with a user's token."""
        return self._write_kubeconfig(user.replace(":", "-"), {"token": self._tokens[user]})

    def kubeconfig_with(self, name: str, token: str) -> Path:
        """Write a kubeconfig that signs in with any token, such as that of a service account."""
        return self._write_kubeconfig(name, {"token": token})

    def certificate_kubeconfig(self) -> Path:
        """Write a kubeconfig that signs in as an admin with a client certificate."""
        pair = self.pki.admin
        login = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        return self._write_kubeconfig("certificate-admin", login)

    def wrong_ca_kubeconfig(self) -> Path:
        """Write an admin's kubeconfig with an authority that did not sign the server's certificate."""
        return self._write_kubeconfig("wrong-ca", {"token": self._tokens[ADMIN]}, ca=self.pki.stranger_ca.certificate)

    def unreachable_kubeconfig(self) -> Path:
        """Write an admin's kubeconfig for a port nobody listens on."""
        server = f"https://127.0.0.1:{free_port()}"
        return self._write_kubeconfig("unreachable", {"token": self._tokens[ADMIN]}, server=server)

    def _write_kubeconfig(
        self, name: str, login: dict[str, str], *, server: str | None = None, ca: Path | None = None
    ) -> Path:
        cluster = {"server": server or self.server, "certificate-authority": str(ca or self.pki.ca.certificate)}
        return self._write_yaml(
            f"{name}.kubeconfig",
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "e2e", "cluster": cluster}],
                "users": [{"name": name, "user": login}],
                "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}],
                "current-context": "e2e",
            },
        )

    def _write_yaml(self, name: str, content: dict[str, Any]) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    def _write_token_file(self) -> None:
        lines = (f'{self._tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in GROUPS.items())
        path = self.folder / "tokens.csv"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")

    def _start_etcd(self) -> None:
        peers = f"http://127.0.0.1:{free_port()}"
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        arguments = {
            "name": "e2e",
            "data-dir": self.folder / "etcd",
            "listen-client-urls": self._etcd_url,
            "advertise-client-urls": self._etcd_url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"e2e={peers}",
            "log-level": "warn",
        }
        self._etcd = self._run("etcd", _flags(arguments))

    def _apiserver_arguments(self) -> list[str]:
        arguments = {
            "etcd-servers": self._etcd_url,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self._port,
            "endpoint-reconciler-type": "none",
            "tls-cert-file": self.pki.server.certificate,
            "tls-private-key-file": self.pki.server.key,
            "client-ca-file": self.pki.ca.certificate,
            "token-auth-file": self.folder / "tokens.csv",
            "anonymous-auth": "false",
            "authorization-mode": self.authorization,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.pki.service_account_public_key,
            "service-account-signing-key-file": self.pki.service_account_key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": ",".join(self.disabled_admission),
            "audit-policy-file": self.folder / "audit-policy.yaml",
            "audit-log-path": self.audit.path,
        }
        return [*_flags(arguments), *self.apiserver_arguments]

    def _run_other(self, program: str, arguments: Sequence[str]) -> Process:
        process = self._run(program, arguments, log=f"{program}-{len(self._others)}.log")
        self._others.append(process)
        return process

    def _run(self, program: str, arguments: Sequence[str], *, log: str | None = None) -> Process:
        return Process([str(self.assets / program), *arguments], self.folder / (log or f"{program}.log"))


def _flags(arguments: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in arguments.items()]
