"""A control plane for one benchmark, on the loopback interface: etcd, with fsync as it comes, and kube-apiserver.

The API server makes its own certificate. There is one user, in system:masters, so that no flow control applies, as for
the client of scheduler_perf. No kubelet and no controllers run: the admission plugin ServiceAccount would refuse pods
without an account's token, and TaintNodesByCondition would taint every node as not ready.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from roost.bench.assets import APISERVER, ETCD
from roost.bench.programs import Program, free_port, running
from roost.bench.target import Target
from roost.client import ConnectionInfo, connection_info
from roost.client.transport import Transport
from roost.errors import ApiError, RoostError

READY_SECONDS = 60.0
DISABLED_ADMISSION = ("ServiceAccount", "TaintNodesByCondition")
DELETERS = 16
QUOTA_BYTES = 8 * 1024**3
_POLL = 0.1


@asynccontextmanager
async def control_plane(assets: Path, folder: Path) -> AsyncIterator[Target]:
    """Run etcd and kube-apiserver, with data and logs in a folder, until the context ends."""
    etcd_url, server = _local("http"), _local("https")
    token = secrets.token_hex(16)
    _write_private(folder / "tokens.csv", f"{token},bench,bench,system:masters\n")
    etcd_command = [str(assets / ETCD), *_etcd_flags(folder, etcd_url)]
    apiserver_command = [str(assets / APISERVER), *_apiserver_flags(folder, etcd_url, server)]
    async with (
        running(etcd_command, folder / "etcd.log") as etcd,
        running(apiserver_command, folder / "kube-apiserver.log") as apiserver,
    ):
        info = await _ready(folder, server, token, (etcd, apiserver))
        kubeconfig = folder / "kubeconfig"
        yield Target(
            name="control-plane", info=info, kubeconfig=kubeconfig, seen={APISERVER: apiserver.pid, ETCD: etcd.pid}
        )


async def _ready(folder: Path, server: str, token: str, programs: Sequence[Program]) -> ConnectionInfo:
    """Wait until /readyz answers, and return how to connect."""
    deadline = time.monotonic() + READY_SECONDS
    authority = folder / "pki" / "apiserver.crt"
    while time.monotonic() < deadline:
        for program in programs:
            program.check()
        if authority.exists():
            info = _connection(folder, server, token, authority)
            if await _answers(info):
                return info
        await asyncio.sleep(_POLL)
    raise RoostError(f"the API server is not ready after {READY_SECONDS:g} s; its log: {folder / 'kube-apiserver.log'}")


async def _answers(info: ConnectionInfo) -> bool:
    transport = Transport(info, connections=1, timeout=5.0)
    try:
        await transport.request("GET", "/readyz")
    except (ApiError, RoostError):
        return False
    finally:
        await transport.close()
    return True


def _connection(folder: Path, server: str, token: str, authority: Path) -> ConnectionInfo:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "bench", "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    }
    _write_private(path, yaml.safe_dump(config, sort_keys=False))
    return connection_info(kubeconfig=str(path))


def _etcd_flags(folder: Path, url: str) -> list[str]:
    peers = _local("http")
    return _flags(
        {
            "name": "bench",
            "data-dir": folder / "etcd",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"bench={peers}",
            "log-level": "warn",
            "quota-backend-bytes": QUOTA_BYTES,
        }
    )


def _apiserver_flags(folder: Path, etcd_url: str, server: str) -> list[str]:
    key = folder / "pki" / "apiserver.key"
    return _flags(
        {
            "etcd-servers": etcd_url,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": server.rpartition(":")[2],
            "endpoint-reconciler-type": "none",
            "cert-dir": folder / "pki",
            "token-auth-file": folder / "tokens.csv",
            "anonymous-auth": "false",
            "authorization-mode": "AlwaysAllow",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-signing-key-file": key,
            "service-account-key-file": key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "allow-privileged": "true",
            "disable-admission-plugins": ",".join(DISABLED_ADMISSION),
            "delete-collection-workers": DELETERS,
        }
    )


def _flags(arguments: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in arguments.items()]


def _local(scheme: str) -> str:
    return f"{scheme}://127.0.0.1:{free_port()}"


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
