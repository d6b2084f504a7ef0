"""Certificates and keys of a test cluster, made with the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVER_NAMES = "IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default"
DAYS = "30"


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Pki:
    """What one control plane needs, and an authority that signed none of it."""

    ca: Pair
    stranger_ca: Pair
    server: Pair
    admin: Pair
    service_account_key: Path
    service_account_public_key: Path


def make_pki(folder: Path) -> Pki:
    """Write a new authority and what it signs into a folder."""
    folder.mkdir(mode=0o700)
    ca = _authority(folder, "ca")
    account_key = _key(folder / "service-account.key")
    public_key = folder / "service-account.pub"
    _openssl("ec", "-in", account_key, "-pubout", "-out", public_key)
    return Pki(
        ca=ca,
        stranger_ca=_authority(folder, "stranger-ca"),
        server=_signed(folder, ca, "apiserver", "/CN=kube-apiserver", "serverAuth", f"subjectAltName={SERVER_NAMES}"),
        admin=_signed(folder, ca, "admin", "/O=system:masters/CN=certificate-admin", "clientAuth"),
        service_account_key=account_key,
        service_account_public_key=public_key,
    )


def _authority(folder: Path, name: str) -> Pair:
    pair = Pair(folder / f"{name}.crt", _key(folder / f"{name}.key"))
    _openssl("req", "-x509", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-days", DAYS, "-out", pair.certificate)
    return pair


def _signed(folder: Path, ca: Pair, name: str, subject: str, usage: str, *extensions: str) -> Pair:
    pair = Pair(folder / f"{name}.crt", _key(folder / f"{name}.key"))
    request, extras = folder / f"{name}.csr", folder / f"{name}.ext"
    extras.write_text("\n".join([f"extendedKeyUsage={usage}", *extensions, ""]))
    _openssl("req", "-new", "-key", pair.key, "-subj", subject, "-out", request)
    signer = ("-CA", ca.certificate, "-CAkey", ca.key, "-CAcreateserial", "-days", DAYS, "-extfile", extras)
    _openssl("x509", "-req", "-in", request, *signer, "-out", pair.certificate)
    return pair


def _key(path: Path) -> Path:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    path.chmod(0o600)
    return path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
